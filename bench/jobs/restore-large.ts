// The process of the case restore-1g: loads the state that lies in a directory, and prints the seconds of its processor
// time once it has an answer from it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SubtaskState } from "../../src/checkpoint/format/metadata.ts";
import { pagesFill } from "../../src/checkpoint/format/pack-file.ts";
import { StateReader } from "../../src/checkpoint/format/subtask-state.ts";
import { ByteCursor } from "../../src/types/bytes/byte-buffer.ts";
import { KEYS, largeState, storageIn } from "../large-state.ts";

const directory = process.argv[2]!;
const storage = storageIn(directory);
const { state } = JSON.parse(readFileSync(join(directory, "state.json"), "utf8")) as { state: SubtaskState };
const { store, get } = largeState();
const reader = new StateReader(storage);
const { first, groups } = state.keyed!;
const fills = [];
for (const [n, handle] of groups.entries()) {
  fills.push(...store.load(first + n, new ByteCursor(await reader.read(handle)), true));
}
await pagesFill(storage, fills, () => undefined);
store.loaded();
await reader.close();
if ((get(KEYS - 1) as { a: number } | null)?.a !== KEYS - 1) throw new Error("the state is not there");
const { user, system } = process.cpuUsage();
process.stdout.write(String((user + system) / 1e6));
