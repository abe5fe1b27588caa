import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readAll, sourceContract } from "../../operators/source.contract.ts";
import { simWorld } from "../../testing/world.ts";
import { t } from "../../types/t.ts";
import { type CsvOptions, csv } from "./csv.ts";

async function read(content: string | Uint8Array, options: CsvOptions = {}) {
  const world = simWorld(1);
  world.env.disk.put("/in.csv", content);
  return readAll(csv("/in.csv", { invalid: "side", ...options }), world);
}

describe("csv", () => {
  test("basic", async () => {
    const { records, invalid } = await read('a,b\n1,"x ""y"", z"\r\n2,\r3,é\n');
    assert.deepEqual(invalid, []);
    assert.deepEqual(records, [
      { a: "1", b: 'x "y", z' },
      { a: "2", b: "" },
      { a: "3", b: "é" },
    ]);
  });
});

const Row = t.struct({ n: t.f64, text: t.string });
const rows = Array.from({ length: 500 }, (_, n) => ({ n, text: n % 7 === 0 ? `line\n"${n}",é` : `t${n}` }));
const content = `n,text\n${rows.map(({ n, text }) => `${n},"${text.replaceAll('"', '""')}"`).join("\n")}\n`;

sourceContract("csv", () => {
  const world = simWorld(5);
  world.env.disk.put("/in/a.csv", content);
  world.env.disk.faults.shortReads = true;
  return {
    source: csv("/in/*.csv", { type: Row, splitSize: 700, readSize: 61 }),
    world,
    expected: rows,
    checkClosed: () => assert.equal(world.env.disk.openHandles, 0),
  };
});
