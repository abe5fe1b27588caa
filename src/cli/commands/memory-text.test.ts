import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemoryRow } from "../../memory/memory-explain.ts";
import { paletteOf } from "../terminal/palette.ts";
import { memoryText } from "./memory-text.ts";

const ROWS: readonly MemoryRow[] = [
  {
    component: "process size",
    level: 0,
    bytes: 8 * 1024 ** 3,
    pretty: "8 GiB",
    share: 1,
    origin: "derived: half of the machine's 23.59 GiB, at least 1 GiB, at most 8 GiB",
    key: "taskmanager.memory.process.size",
  },
  { component: "heap", level: 1, bytes: 1, pretty: "1 B", share: 0.5, origin: "default", key: null },
];

test("each component has a line, and below it its origin and its key, no wider than the terminal", () => {
  assert.equal(
    memoryText(ROWS, 80, paletteOf(false)),
    `component     size   share
process size  8 GiB  100.0 %
    derived: half of the machine's 23.59 GiB, at least 1 GiB, at most 8 GiB;
    taskmanager.memory.process.size
  heap        1 B    50.0 %
      default`,
  );
});
