import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Source } from "../../../operators/source.ts";
import { simWorld } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { csv } from "../csv/csv.ts";
import { stdin } from "../index.ts";
import { jsonl } from "../json/jsonl.ts";

const Row = t.struct({ n: t.f64.nullable() });

const { env } = simWorld(1);
const context = { env, disk: env.disk, uid: "in", parallelism: 2, wake: () => undefined };
const start = (source: Source<never>): unknown => source.createEnumerator(context);

describe("options of files without effect", () => {
  const refused: readonly (readonly [string, RegExp, () => Source<unknown>])[] = [
    [
      "splitSize of compressed files",
      /^splitSize .* compressed/,
      () => jsonl("/in", { splitSize: 9, compression: "gzip" }),
    ],
    [
      "splitSize of others that are",
      /^splitSize .* compressed/,
      () => csv("/in", { splitSize: 9, compression: "zstd" }),
    ],
    ["splitSize of other encodings", /^splitSize .* UTF-8/, () => csv("/in", { splitSize: "1mb", encoding: "latin1" })],
    ["splitSize of standard input", /^splitSize .* standard input/, () => jsonl(stdin, { splitSize: 9 })],
    ["inTimeOrder of standard input", /^inTimeOrder .* standard input/, () => csv(stdin, { inTimeOrder: true })],
    ["nulls without a type", /^nulls .* without a type/, () => csv("/in", { nulls: ["NA"] })],
    ["decimal without a type", /^decimal .* without a type/, () => csv("/in", { decimal: ",", delimiter: ";" })],
    ["escape without quotes", /^escape .* no quotes/, () => csv("/in", { escape: "\\", quote: false })],
  ];
  for (const [what, message, made] of refused) {
    test(`${what} are refused`, () => {
      assert.throws(() => start(made() as Source<never>), { code: "OPTION_WITHOUT_EFFECT", message });
    });
  }

  test("those that say what holds without them, and those that matter for some files, are not", () => {
    for (const source of [
      csv("/in", { splitSize: "16mb", compression: "gzip", encoding: "utf-8" }),
      csv("/in", { splitSize: 9, compression: "none" }),
      csv("/in", { type: Row, nulls: ["NA"], decimal: ",", delimiter: ";", quote: false, multiline: true }),
      jsonl("/in/a.jsonl.gz", { splitSize: 9, inTimeOrder: true }),
      jsonl(["/dev/stdin", "/in"], { splitSize: 9, inTimeOrder: true }),
    ]) {
      start(source as Source<never>);
    }
  });

  test("inTimeOrder is told of where a path is that of one file, which it may not be in another run", async () => {
    const told = async (path: string): Promise<string[]> => {
      const world = simWorld(1);
      world.env.disk.put("/in/a.jsonl", "{}\n");
      const lines: string[] = [];
      const log = { write: (_: string, message: string) => void lines.push(message) };
      const source = jsonl(path, { inTimeOrder: true });
      const splits = source.createEnumerator({ ...context, env: { ...world.env, log }, disk: world.env.disk });
      const starting = splits.start();
      await world.settle();
      await starting;
      return lines;
    };
    assert.deepEqual(await told("/in/a.jsonl"), ["inTimeOrder has no effect: /in/a.jsonl is one file"]);
    assert.deepEqual(await told("/in"), []);
    assert.deepEqual(await told("/in/*.jsonl"), []);
  });
});
