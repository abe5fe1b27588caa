import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readAll } from "../../../operators/source.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { type CsvOptions, csv } from "./csv.ts";

const Row = t.struct({ n: t.f64, text: t.string });

async function read(content: string, options: CsvOptions & { type?: typeof Row }): Promise<readonly unknown[]> {
  const world = simWorld(1);
  world.env.disk.put("/in.csv", content);
  const { type, ...others } = options;
  return (
    await readAll<unknown>(type === undefined ? csv("/in.csv", others) : csv("/in.csv", { ...others, type }), world)
  ).records;
}

describe("a first line that is no header line", () => {
  test("but a title is told by that it names no declared column", async () => {
    for (const title of ["Report,,", "Report", ",", '"Report of May, June"']) {
      await assert.rejects(read(`${title}\nn,text\n1,x\n`, { type: Row }), {
        code: "CSV_COLUMN_MISSING",
        fix: "when other lines stand before its header line, say `skipLines: 1`; when it has no header line, say `header: false`",
      });
    }
    await assert.rejects(read("n,\n1,x\n", { type: Row }), { fix: /^declare the columns that the file has; / });
  });

  test("but JSON is told as that, unless columns are named", async () => {
    for (const text of ['{"n":1,"text":"x"}\n', '\ufeff[{"n": 1}]', '{ "n": 1 }']) {
      for (const options of [{}, { type: Row }]) {
        await assert.rejects(read(text, options), {
          code: "CSV_HEADER_INVALID",
          message: "the header line of /in.csv is JSON",
          fix: text.includes("[") ? /jsonl\("…", { array: true }\)/ : /jsonl\("…"\)/,
        });
      }
    }
    assert.deepEqual(await read("{n},[x]\n1,2\n", {}), [{ "{n}": "1", "[x]": "2" }]);
    assert.deepEqual(await read("[{,x\n1,2\n", {}), [{ "[{": "1", x: "2" }]);
    assert.deepEqual(await read('{"n,x\n1,2\n', { quote: "'" }), [{ '{"n': "1", x: "2" }]);
    assert.deepEqual(await read('{"n"}\n1\n', { quote: false, columns: ["n"] }), [{ n: "1" }]);
  });
});
