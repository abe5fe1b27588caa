// What may be wrong with data, disks and the functions that read data: a clear error with a stable code, the place in
// the user's job and, where there is one, the place in the data; nothing lost, no crash. By the real command.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Ended, millrace } from "./cli-process.ts";

const cwd = mkdtempSync(join(tmpdir(), "bad-data-"));
const mounts: string[] = [];
const HEAD =
  'import { blackhole, col, count, csv, generate, job, jsonl, print, sum, t, tumbling } from "millrace";\n' +
  "const Row = t.struct({ name: t.string, price: t.f64 });\n";
const IS_ROOT = process.getuid?.() === 0;
/** Root may read and write everything: others may not. */
const NOBODY = 65_534;

/** The line with this mark is the one that the error must show. */
const HERE = "// here";

type BadData = {
  readonly what: string;
  readonly code: string;
  /** Lines of the job's builder; sinks that write files write below `out`. */
  readonly job: readonly string[];
  /** What the message says: of files their name, and their line where there is one. */
  readonly message: RegExp;
};

function file(name: string, content: string | Buffer): void {
  writeFileSync(join(cwd, name), content);
}

file("column.csv", "name,prise\na,1\n");
file("number.csv", "name,price\na,1\nb,12 EUR\nc,3\n");
file("quote.csv", 'name,price\na,1\n"b,2\nc,3\n');
file("nul.csv", "name,price\na,1\nb\0b,2\nc,3\n");
file(
  "utf8.csv",
  Buffer.concat([Buffer.from("name,price\na,1\nb"), Buffer.from([0xff, 0xfe]), Buffer.from(",2\nc,3\n")]),
);
file("bad.jsonl", '{"name":"a","price":1}\n{"name":"b","price":"2"}\n{"name":"c"\n{"name":"d","price":4}\n');
file("wide.csv", `name,price\n${"w".repeat(500)},x\n`);
const archive = gzipSync(`name,price\n${"a,1\n".repeat(10_000)}`);
file("whole.csv.gz", archive);
file("short.csv.gz", archive.subarray(0, archive.length - 20));
file("plain.txt", "not the sink's");
file("plain", "no directory");
chmodSync(cwd, 0o777);
mkdirSync(join(cwd, "sealed"));
chmodSync(join(cwd, "sealed"), 0o555);

const ROWS = "generate(100, (id) => ({ id, name: `n${id}`, at: 1_700_000_000_000 + id }))";
const reading = (path: string): readonly string[] => [
  `env.from("rows", csv("${path}", { type: Row })) ${HERE}`,
  '.to("out", jsonl("out"));',
];
const keyed = (key: string): readonly string[] => [
  `env.from("rows", ${ROWS})`,
  `.keyBy((row) => (row.id === 7 ? (${key} as never) : row.id)) ${HERE}`,
  '.reduce("last", (_, row) => row)',
  '.to("out", jsonl("out"));',
];
const timed = (at: string): readonly string[] => [
  `env.from("rows", ${ROWS})`,
  `.map((row) => ({ ...row, at: row.id === 7 ? (${at} as never) : row.at }))`,
  `.eventTime({ at: "at" }) ${HERE}`,
  '.keyBy("name").window(tumbling("1m")).aggregate({ n: count() }).to("out", jsonl("out"));',
];

/** In files as a whole, and in rows that must not be left out unseen. */
const FILES: readonly BadData[] = [
  {
    what: "a column is missing",
    code: "CSV_COLUMN_MISSING",
    job: reading("column.csv"),
    message: /column\.csv.*price/,
  },
  {
    what: "a number is none",
    code: "ROW_INVALID",
    job: reading("number.csv"),
    message: /number\.csv:3: column "price": "12 EUR" is not a number in 'b,12 EUR'/,
  },
  { what: "a quote is not closed", code: "ROW_INVALID", job: reading("quote.csv"), message: /quote\.csv:3: .*quote/ },
  { what: "there is a NUL", code: "ROW_INVALID", job: reading("nul.csv"), message: /nul\.csv:3: .*NUL/ },
  { what: "bytes are not UTF-8", code: "ROW_INVALID", job: reading("utf8.csv"), message: /utf8\.csv:3: .*UTF-8/ },
  {
    what: "a long row is wrong, of which the beginning is shown",
    code: "ROW_INVALID",
    job: reading("wide.csv"),
    message: /wide\.csv:2: column "price": "x" is not a number in 'w{80}'…\n/,
  },
  {
    what: "a JSON value is of the wrong kind",
    code: "ROW_INVALID",
    job: [`env.from("rows", jsonl("bad.jsonl", { type: Row })) ${HERE}`, '.to("out", jsonl("out"));'],
    message: /bad\.jsonl:2: .*price/,
  },
  { what: "an archive ends early", code: "GZIP_TRUNCATED", job: reading("short.csv.gz"), message: /short\.csv\.gz/ },
  { what: "a file is missing", code: "FILE_MISSING", job: reading("nowhere.csv"), message: /nowhere\.csv/ },
  { what: "a pattern finds nothing", code: "FILES_NONE", job: reading("none-*.csv"), message: /none-\*\.csv/ },
  {
    what: "a sink's file is somebody else's",
    code: "SINK_TARGET_OCCUPIED",
    job: [`env.from("rows", ${ROWS})`, `.to("out", jsonl("plain.txt")); ${HERE}`],
    message: /plain\.txt/,
  },
];

/** In single records. */
const RECORDS: readonly BadData[] = [
  {
    what: "a record does not fit its type",
    code: "CODEC_MISMATCH",
    job: [
      "const Typed = t.struct({ id: t.f64 });",
      `env.from("rows", generate(100, (id) => ({ id: id === 7 ? ("seven" as never) : id }), { type: Typed })) ${HERE}`,
      '.rebalance().map((row) => row).to("out", jsonl("out"));',
    ],
    message: /id is .*"seven".*record.*\{ id: 'seven' \}/,
  },
  {
    what: "a key is NaN",
    code: "KEY_INVALID",
    job: keyed("NaN"),
    message: /is NaN.* record \{ id: 7,/,
  },
  {
    what: "a key is undefined",
    code: "KEY_INVALID",
    job: keyed("undefined"),
    message: /is undefined.* record \{ id: 7,/,
  },
  {
    what: "a key is an object",
    code: "KEY_INVALID",
    job: keyed("{ a: 1 }"),
    message: /is an object.* record \{ id: 7,/,
  },
  {
    what: "a key field is NaN",
    code: "KEY_INVALID",
    job: [
      `env.from("rows", ${ROWS}).map((row) => ({ ...row, id: row.id === 7 ? NaN : row.id }))`,
      `.keyBy("id") ${HERE}`,
      '.reduce("last", (_, row) => row)',
      '.to("out", jsonl("out"));',
    ],
    message: /is NaN, in the field "id" of the record \{ id: NaN, name: 'n7'/,
  },
  { what: "a time is null", code: "TIMESTAMP_MISSING", job: timed("null"), message: /is null.*"at".*\{ id: 7,/ },
  {
    what: "a time is in microseconds",
    code: "TIMESTAMP_IN_MICROSECONDS",
    job: timed("1_767_607_200_000_000"),
    message: /\+057983-.*"at".*\{ id: 7,.*\n(.*\n)+ {2}fix {2}.*unit: "us"/,
  },
  { what: "a time is NaN", code: "TIMESTAMP_NAN", job: timed("NaN"), message: /NaN.*"at".*\{ id: 7,/ },
  {
    what: "a time is in seconds",
    code: "TIMESTAMP_IN_SECONDS",
    job: timed("1_700_000_000"),
    message: /1970-01-20T16:13:20.*"at".*\{ id: 7,.*\n(.*\n)+ {2}fix {2}.*unit: "s"/,
  },
  {
    what: "a Date was made of seconds",
    code: "TIMESTAMP_IN_SECONDS",
    job: timed("new Date(1_700_000_000)"),
    message: /looks like seconds.*"at".*\{ id: 7,.*\n(.*\n)+ {2}fix {2}make the Date of milliseconds/,
  },
  {
    what: "what is summed is a text",
    code: "AGGREGATE_INPUT",
    job: [
      `env.from("rows", ${ROWS}).keyBy("id")`,
      `.aggregate({ total: sum("name" as never) }) ${HERE}`,
      '.to("out", jsonl("out"));',
    ],
    message: /name.* is "n\d+", a string/,
  },
  {
    what: "a map returns nothing and the next function reads a field",
    code: "MAP_RETURNED_NOTHING",
    job: [
      `env.from("rows", ${ROWS})`,
      `.map((row): { id: number } => (row.id === 7 ? (undefined as never) : row)).name("lookup") ${HERE}`,
      '.map(({ id }) => ({ id })).to("out", jsonl("out"));',
    ],
    message: /map "lookup" returned undefined where its field "id" is read, on the record \{ id: 7,/,
  },
  {
    what: "a map returns nothing and the engine reads the key",
    code: "MAP_RETURNED_NOTHING",
    job: [
      `env.from("rows", ${ROWS})`,
      `.map((row): { id: number } => (row.id === 7 ? (undefined as never) : row)) ${HERE}`,
      '.keyBy("id").reduce("last", (_, row) => row).to("out", jsonl("out"));',
    ],
    message: /returned undefined where its field "id" is read/,
  },
];

let jobs = 0;
type Job = { readonly name: string; readonly line: number; readonly out: string };

function write(lines: readonly string[]): Job {
  jobs += 1;
  const name = `data-${jobs}.ts`;
  const builder = lines.map((line) => line.replaceAll('jsonl("out', `jsonl("out-${jobs}`)).join("\n  ");
  const text = `${HEAD}export default job({ name: "data" }, (env) => {\n  ${builder}\n});\n`;
  file(name, text);
  return { name, out: `out-${jobs}`, line: text.split("\n").findIndex((line) => line.includes(HERE)) + 1 };
}

function checkFailure(ended: Ended, bad: BadData, job: Job): void {
  assert.equal(ended.code, 1, ended.stderr);
  checkRefusal(ended, bad, job);
  assert.match(ended.stderr, /^✗ data failed after/m);
}

/** As a failure, but seen when the place of the output is claimed, before the job runs. */
function checkRefusal({ code, stderr }: Ended, bad: BadData, { name, line }: Job): void {
  assert.ok(code === 1 || code === 2, stderr);
  assert.match(stderr, new RegExp(`^✗ ${bad.code} {2}\\S`, "m"));
  assert.match(stderr, new RegExp(`^ {3}${name}:${line}:\\d+$`, "m"), stderr);
  assert.match(stderr, bad.message);
  assert.match(stderr, /^ {2}fix {2}\S/m);
  assert.doesNotMatch(stderr, /^ +at |wrote(?! {2}nothing)/m);
}

/** Files that a reader of the directory would find. */
function partsOf(directory: string): readonly string[] {
  const path = join(cwd, directory);
  return existsSync(path) ? readdirSync(path).filter((name) => !name.startsWith(".")) : [];
}

type Summary = {
  readonly outcome: string;
  readonly rows: Readonly<Record<"in" | "out" | "late" | "invalid" | "skipped", number>>;
  readonly peakRssBytes: number;
  readonly errors: readonly { readonly code: string; readonly operator: string | null }[];
};

async function summaryOf(lines: readonly string[], args: readonly string[] = []): Promise<Summary & { out: string }> {
  const { name, out } = write(lines);
  const { stdout, stderr } = await millrace(["run", name, "--json", ...args], { cwd });
  assert.notEqual(stdout, "", stderr);
  return { ...(JSON.parse(stdout) as Summary), out };
}

function rowsIn(directory: string): readonly unknown[] {
  return partsOf(directory).flatMap((name) => {
    const text = readFileSync(join(cwd, directory, name), "utf8").trim();
    return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as unknown);
  });
}

/** Mounts a small disk; null when this process may not. */
function smallDisk(name: string, options: string): string | null {
  const path = join(cwd, name);
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "none", path], { stdio: "ignore" });
  } catch {
    return null;
  }
  mounts.push(path);
  return path;
}

describe("data that is wrong", { concurrency: 2 }, () => {
  after(() => {
    for (const path of mounts) execFileSync("umount", [path]);
    chmodSync(join(cwd, "sealed"), 0o755);
    rmSync(cwd, { recursive: true, force: true });
  });

  for (const [index, bad] of [...FILES, ...RECORDS].entries()) {
    const inSlots = bad.code === "CODEC_MISMATCH" || index % 4 === 0;
    test(`${bad.what}: ${bad.code} with its places, and nothing is written`, async () => {
      const job = write(bad.job);
      const args = inSlots ? ["--parallelism", "2"] : ["--local"];
      checkFailure(await millrace(["run", job.name, ...args], { cwd }), bad, job);
      assert.deepEqual(partsOf(job.out), []);
    });
  }

  test("a sink's directory is a file: SINK_TARGET_IS_FILE with its places, before the job runs", async () => {
    const job = write([`env.from("rows", ${ROWS})`, `.to("out", jsonl("plain")); ${HERE}`]);
    const bad = { what: "", code: "SINK_TARGET_IS_FILE", job: [], message: /plain is a file/ };
    checkRefusal(await millrace(["run", job.name, "--local"], { cwd }), bad, job);
  });

  test("an error as JSON names the operator", async () => {
    const { outcome, errors } = await summaryOf(reading("column.csv"), ["--local"]);
    assert.equal(outcome, "failed");
    assert.deepEqual(
      errors.map(({ code, operator }) => [code, operator]),
      [["CSV_COLUMN_MISSING", "rows"]],
    );
  });

  test("rows that are wrong are counted under skip, and kept with file and line under side", async () => {
    const names = ["number.csv", "nul.csv", "utf8.csv", "quote.csv"];
    const files = JSON.stringify(names);
    const skip = [`env.from("rows", csv(${files}, { type: Row, invalid: "skip" })).to("out", blackhole());`];
    // The quote takes all that follows it in its file.
    const rows = { in: 7, out: 7, late: 0, invalid: 4, skipped: 0 };
    assert.deepEqual((await summaryOf(skip, ["--local"])).rows, rows);
    const side = [
      `const rows = env.from("rows", csv(${files}, { type: Row, invalid: "side" }));`,
      'rows.to("out", jsonl("out"));',
      'rows.side.invalid.to("rejects", jsonl("out-rejects"));',
    ];
    const summary = await summaryOf(side, ["--parallelism", "2"]);
    const [good, bad] = [summary.out, `${summary.out}-rejects`].map(rowsIn);
    assert.deepEqual([summary.outcome, summary.rows.in, summary.rows.invalid, good?.length], ["finished", 7, 4, 7]);
    const places = (bad as { file: string; line: number }[]).map((row) => `${row.file}:${row.line}`);
    assert.deepEqual(places.sort(), names.map((name) => `${name}:3`).sort());
  });

  test("a line of 200 MB is one bad row, and is not kept in memory", async () => {
    const handle = openSync(join(cwd, "huge.csv"), "w");
    writeSync(handle, "name,price\na,1\n");
    const chunk = Buffer.alloc(1 << 20, "x");
    for (let megabytes = 0; megabytes < 200; megabytes += 1) writeSync(handle, chunk);
    closeSync(handle);
    appendFileSync(join(cwd, "huge.csv"), ",2\nc,3\n");
    const job = (invalid: string): readonly string[] => [
      `env.from("rows", csv("huge.csv", { type: Row, invalid: "${invalid}" })) ${HERE}`,
      '.to("out", blackhole());',
    ];
    const { rows, peakRssBytes } = await summaryOf(job("skip"), ["--local"]);
    assert.deepEqual(rows, { in: 2, out: 2, late: 0, invalid: 1, skipped: 0 });
    assert.ok(peakRssBytes < 320 * 1024 ** 2, `${peakRssBytes} B`);
    const failing = write(job("fail"));
    const ended = await millrace(["run", failing.name, "--local"], { cwd });
    checkFailure(ended, { what: "", code: "ROW_INVALID", job: [], message: /huge\.csv:3: .*16 MiB/ }, failing);
  });

  const million = (policy: string): readonly string[] => [
    'env.from("rows", generate(1_000_000, (n) => ({ n, name: "x" })))',
    `.map((row) => { if (row.n === 777_777) throw new RangeError("no such name"); return row; })${policy} ${HERE}`,
  ];

  test("a function that throws on one record in a million fails the job with that record", async () => {
    const job = write([...million(""), '.to("out", jsonl("out"));']);
    const bad: BadData = {
      what: "",
      code: "USER_FUNCTION_THREW",
      job: [],
      message: /map "map" threw RangeError: no such name on the record \{ n: 777777, name: 'x' \}/,
    };
    checkFailure(await millrace(["run", job.name, "--parallelism", "2"], { cwd }), bad, job);
    assert.deepEqual(partsOf(job.out), []);
  });

  test("under skip that record is counted, under side it is kept with the error", async () => {
    const rows = { in: 1_000_000, out: 999_999, late: 0, invalid: 0, skipped: 1 };
    assert.deepEqual((await summaryOf([...million('.onError("skip")'), '.to("out", blackhole());'])).rows, rows);
    const [first = "", second = ""] = million('.onError("side")');
    const side = await summaryOf([
      `const mapped = ${first}`,
      `${second.replace(HERE, "")};`,
      'mapped.to("all", blackhole());',
      'mapped.side.errors.to("rejects", jsonl("out"));',
    ]);
    assert.deepEqual([side.outcome, side.rows.in, side.rows.skipped], ["finished", 1_000_000, 1]);
    const record = { n: 777_777, name: "x" };
    assert.deepEqual(rowsIn(side.out), [{ record, error: "RangeError: no such name" }]);
  });

  const sinkJob = (path: string): readonly string[] => [
    'env.from("rows", generate(100_000, (n) => ({ n, text: "x".repeat(100) })))',
    `.to("out", jsonl(${JSON.stringify(path)})); ${HERE}`,
  ];

  test("a disk that is full fails the job, and no part file is left", async (context) => {
    const disk = smallDisk("full", "size=1m");
    if (disk === null) return context.skip("no small disk can be mounted here");
    const job = write(sinkJob("full/out"));
    const bad = { what: "", code: "DISK_FULL", job: [], message: /full\/out.*no space is left/ };
    checkFailure(await millrace(["run", job.name, "--parallelism", "1"], { cwd }), bad, job);
    assert.deepEqual(partsOf("full/out"), []);
  });

  test("a disk that cannot be written fails the job", async (context) => {
    const disk = smallDisk("frozen", "size=1m,ro");
    if (disk === null) return context.skip("no disk can be mounted here");
    const job = write(sinkJob("frozen/out"));
    const bad = { what: "", code: "DISK_READ_ONLY", job: [], message: /frozen\/out.*read-only/ };
    checkRefusal(await millrace(["run", job.name, "--local"], { cwd }), bad, job);
  });

  test("a directory that may not be written, and a file that may not be read, fail the job", async (context) => {
    const user = IS_ROOT ? { uid: NOBODY } : {};
    if ((await millrace(["--version"], { cwd, ...user })).code !== 0) return context.skip("no other user can run this");
    file("secret.csv", "name,price\n");
    chmodSync(join(cwd, "secret.csv"), 0o000);
    const reads = write(reading("secret.csv"));
    const unread = { what: "", code: "DISK_ACCESS", job: [], message: /secret\.csv.*permission denied/ };
    checkFailure(await millrace(["run", reads.name, "--local"], { cwd, ...user }), unread, reads);
    const writes = write(sinkJob("sealed/out"));
    const sealed = { what: "", code: "DISK_ACCESS", job: [], message: /sealed.*permission denied/ };
    checkRefusal(await millrace(["run", writes.name, "--local"], { cwd, ...user }), sealed, writes);
  });
});
