// Files on a real disk: compression, sizes and faults that a simulated disk cannot show.

import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type ReadOptions, readAll, sourceContract } from "../../operators/source.contract.ts";
import type { Source } from "../../operators/source.ts";
import { nodeWorld } from "../../testing/world.ts";
import { t } from "../../types/t.ts";
import { csv } from "./csv/csv.ts";
import { jsonl } from "./json/jsonl.ts";

const root = mkdtempSync(join(tmpdir(), "millrace-files-"));
after(() => rmSync(root, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, content);
  return path;
}

const read = <T>(source: Source<T>, options: ReadOptions = {}) => readAll(source, nodeWorld(), options);

const Row = t.struct({ n: t.f64, text: t.string });
const rows = Array.from({ length: 3_000 }, (_, n) => ({ n, text: n % 7 === 0 ? `line\n"${n}",é` : `t${n}` }));
const content = `n,text\n${rows.map(({ n, text }) => `${n},"${text.replaceAll('"', '""')}"`).join("\n")}\n`;
const plain = file("rows.csv", content);
const zipped = file("rows.csv.gz", gzipSync(content));

sourceContract("csv on a real disk", () => ({
  source: csv(plain, { type: Row, splitSize: 5_000, readSize: 1_000 }),
  world: nodeWorld(),
  expected: rows,
}));

sourceContract("compressed csv", () => ({
  source: csv(zipped, { type: Row, splitSize: 1_000, readSize: 1_000 }),
  world: nodeWorld(),
  expected: rows,
}));

sourceContract("csv compressed with zstd", () => ({
  source: csv(file("rows.csv.zst", zstdCompressSync(content)), { type: Row, splitSize: 1_000, readSize: 1_000 }),
  world: nodeWorld(),
  expected: rows,
}));

describe("compressed files", () => {
  for (const [ending, pack] of [
    ["gz", gzipSync],
    ["zst", (text: string) => zstdCompressSync(text)],
    ["zstd", (text: string) => zstdCompressSync(text)],
  ] as const) {
    test(`several archives in one .${ending} file are read one after the other`, async () => {
      const path = file(`two.jsonl.${ending}`, Buffer.concat([pack('{"a":1}\n'), pack(""), pack('{"a":2}\n')]));
      for (const readSize of [1, 7, "256kb"]) {
        assert.deepEqual((await read(jsonl(path, { readSize }))).records, [{ a: 1 }, { a: 2 }]);
      }
    });
  }

  test("a zstd archive that is cut off, damaged or followed by something else fails with the file", async () => {
    const whole = zstdCompressSync(content);
    for (const length of [0, 1, 4, 5, 500, whole.length - 1]) {
      const path = file(`cut-${length}.csv.zst`, whole.subarray(0, length));
      await assert.rejects(read(csv(path, { type: Row })), { code: "ZSTD_TRUNCATED" }, `${length}`);
    }
    const garbage = Buffer.concat([whole, Buffer.from("garbage")]);
    for (const [name, bytes] of Object.entries({ garbage, none: Buffer.from("n,text\n") })) {
      await assert.rejects(read(csv(file(`${name}.csv.zst`, bytes), { type: Row })), { code: "ZSTD_CORRUPT" });
    }
  });

  test("zstd data in a file of another name is recognised", async () => {
    const path = file("zst.data", zstdCompressSync("n,text\n1,x\n"));
    assert.deepEqual((await read(csv(path, { type: Row, compression: "zstd" }))).records, [{ n: 1, text: "x" }]);
    await assert.rejects(read(csv(path, { type: Row })), { code: "ENCODING_UNSUPPORTED", fix: /"\.zst".*"zstd"/ });
  });

  test("an archive that ends too early fails with the file, wherever it ends", async () => {
    const whole = gzipSync(content);
    for (const length of [0, 1, 5, 12, 500, whole.length - 9, whole.length - 8, whole.length - 1]) {
      const path = file(`cut-${length}.csv.gz`, whole.subarray(0, length));
      await assert.rejects(read(csv(path, { type: Row })), (error: unknown) => {
        assert.ok(error instanceof Error && "code" in error);
        assert.equal(error.code, "GZIP_TRUNCATED", `${length}: ${error.message}`);
        assert.ok(error.message.includes(path));
        return true;
      });
    }
  });

  test("damaged archives, and files that are none, fail with the file", async () => {
    const damaged = gzipSync(content);
    damaged[100]! ^= 0x55;
    const garbage = Buffer.concat([gzipSync(content), Buffer.from("garbage")]);
    for (const [name, bytes] of Object.entries({ damaged, garbage, none: Buffer.from("n,text\n") })) {
      const path = file(`${name}.csv.gz`, bytes);
      await assert.rejects(read(csv(path, { type: Row })), { code: "GZIP_CORRUPT" });
    }
  });

  test("the name decides what is compressed, unless the options do", async () => {
    const path = file("zipped.data", gzipSync("n,text\n1,x\n"));
    assert.deepEqual((await read(csv(path, { type: Row, compression: "gzip" }))).records, [{ n: 1, text: "x" }]);
    await assert.rejects(read(csv(path, { type: Row })), { code: "ENCODING_UNSUPPORTED" });
  });
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Without garbage, of which there is more the busier the machine is. */
function heldBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe("large records", () => {
  test("a line of 200 MB is refused with file, line and limit, in bounded memory, and the lines around it are read", async () => {
    const path = join(root, "long.csv");
    const handle = openSync(path, "w");
    writeSync(handle, "n,text\n1,before\n2,");
    const block = Buffer.alloc(4_000_000, "y");
    for (let written = 0; written < 200_000_000; written += block.length) writeSync(handle, block);
    writeSync(handle, "\n3,after\n");
    closeSync(handle);
    const before = heldBytes();
    let peak = 0;
    let reads = 0;
    const world = nodeWorld();
    const settle = async (): Promise<void> => {
      await world.settle();
      reads += 1;
      if (reads % 20 === 0) peak = Math.max(peak, heldBytes());
    };
    const { records, invalid } = await readAll(csv(path, { type: Row, invalid: "side" }), { ...world, settle });
    rmSync(path);
    assert.deepEqual(records, [
      { n: 1, text: "before" },
      { n: 3, text: "after" },
    ]);
    assert.deepEqual(invalid[0]?.issues, ["longer than 16 MiB, the limit of one record (option recordSizeMax)"]);
    assert.equal(invalid[0]?.line, 3);
    assert.equal(invalid[0]?.file, path);
    assert.ok(String(invalid[0]?.raw).length < 2_000);
    assert.ok(peak > 0 && peak - before < 100_000_000, `${Math.round((peak - before) / 1e6)} MB`);
  });
});

describe("files that cannot be read", () => {
  test("a missing file, an empty pattern", async () => {
    await assert.rejects(read(csv(join(root, "rows.cvs"))), { code: "FILE_MISSING", fix: `did you mean ${plain}?` });
    await assert.rejects(read(csv(join(root, "*.tsv"))), { code: "FILES_NONE" });
  });

  test("a file that this user may not read fails with its path", async (context) => {
    const path = file("secret.csv", content);
    chmodSync(path, 0o000);
    chmodSync(root, 0o755);
    if (process.getuid?.() === 0) {
      process.seteuid?.(65_534); // Permissions do not bind root.
      context.after(() => process.seteuid?.(0));
    }
    await assert.rejects(read(csv(path)), (error: unknown) => {
      assert.ok(error instanceof Error && "code" in error && error.code === "DISK_ACCESS", String(error));
      assert.ok(error.message.includes(path));
      return true;
    });
  });

  test("a directory is read with the files below it, each once; an empty one has no records", async () => {
    const directory = join(root, "many");
    mkdirSync(join(directory, "sub"), { recursive: true });
    assert.deepEqual((await read(jsonl(directory))).records, []);
    writeFileSync(join(directory, "sub", "a.jsonl"), '{"a":1}');
    symlinkSync(join(directory, "sub", "a.jsonl"), join(directory, "b.jsonl"));
    assert.deepEqual((await read(jsonl(directory))).records, [{ a: 1 }]);
  });

  test("a file that shrank between a snapshot and its restore is noticed", async () => {
    const path = file("shrinks.csv", content);
    const world = nodeWorld();
    const source = csv(path, { type: Row });
    const position = { file: path, offset: content.length + 500, cut: false, line: 7, end: null };
    const reader = source.createReader({
      env: world.env,
      disk: world.env.disk,
      uid: "in",
      subtaskIndex: 0,
      parallelism: 1,
      metrics: { count() {}, gauge() {}, mark() {}, observe() {} },
      wake() {},
    });
    reader.addSplit({ id: "x", position });
    const output = { offer: () => true, invalid: () => true, enterSplit() {}, leaveSplit() {} };
    await assert.rejects(
      async () => {
        while (reader.poll(output, 10) !== "end") await world.settle();
      },
      { code: "FILE_CHANGED" },
    );
    await reader.close();
  });

  test("what was read is counted as it is stored, whatever it becomes", async () => {
    const lines = Array.from({ length: 500 }, (_, n) => `{"n":${n}}\n`).join("");
    for (const [name, stored, encoding] of [
      ["stored.jsonl", Buffer.from(lines), "utf-8"],
      ["stored.jsonl.gz", gzipSync(lines), "utf-8"],
      ["stored-16.jsonl", Buffer.from(lines, "utf16le"), "utf-16le"],
    ] as const) {
      const path = file(name, stored);
      const world = nodeWorld();
      let bytesIn = 0;
      const count = (metric: string, bytes: number): void => {
        if (metric === "numBytesIn") bytesIn += bytes;
      };
      const reader = jsonl(path, { encoding }).createReader({
        ...{ env: world.env, disk: world.env.disk, uid: "in", subtaskIndex: 0, parallelism: 1, wake() {} },
        metrics: { count, gauge() {}, mark() {}, observe() {} },
      });
      reader.addSplit({ id: path, position: { file: path, offset: 0, cut: false, line: 1, end: null } });
      reader.noMoreSplits();
      const output = { offer: () => true, invalid: () => true, enterSplit() {}, leaveSplit() {} };
      while (reader.poll(output, 1_000) !== "end") await world.settle();
      await reader.close();
      assert.equal(bytesIn, stored.length, name);
    }
  });
});
