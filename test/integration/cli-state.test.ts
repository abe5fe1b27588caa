// `millrace state`, on the golden snapshot, and on what becomes of it.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { crc32 } from "node:zlib";
import {
  stateDiffCommand,
  stateExportCommand,
  stateGetCommand,
  stateListCommand,
} from "../../src/cli/commands/state-command.ts";
import { commandLineParse } from "../../src/cli/session/arguments.ts";
import { COMMANDS } from "../../src/cli/session/commands.ts";
import { type Streams, Terminal } from "../../src/cli/terminal/terminal.ts";
import { goldenRun } from "../golden/golden-run.ts";
import { CliProcess } from "./cli-process.ts";

/** Each of them in this process: how a command line comes to them is seen once, in the first test. */
const COMMAND = {
  ls: stateListCommand,
  get: stateGetCommand,
  export: stateExportCommand,
  diff: stateDiffCommand,
} as const;

const GOLDEN = resolve(import.meta.dirname, "../golden/snapshot-1");

/** What it prints; throws what it refuses. */
async function cli(name: keyof typeof COMMAND, ...args: string[]): Promise<string> {
  const stdout = new PassThrough();
  const terminal = new Terminal({ stdout, stderr: new PassThrough(), environment: {} } as unknown as Streams);
  const printed = text(stdout);
  await COMMAND[name](commandLineParse(["state", name, ...args], COMMANDS), terminal);
  await terminal.flush();
  stdout.end();
  return printed;
}

function temporary(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-state-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("state ls shows operators, states with their types, and how much of each there is", async () => {
  const { stdout, code } = await new CliProcess(["state", "ls", GOLDEN]).ended;
  const json = await cli("ls", join(GOLDEN, "chk-1"), "--json");
  assert.equal(code, 0);
  const lines = stdout.split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, "  "));
  for (const line of [
    "checkpoint 1 of golden, taken 2026-01-01T00:00:20.007Z",
    'byItem  15  map from "pen" | "ink" | "paper" to i64, kept for 365d',
    "notes  5  list of string | null",
    "mean  5  aggregating { n: i32, sum: f64 }",
    "timers  20",
    "windows  15",
    "sessions  7",
    "waiting  2",
    "events  source  1  16 B  1 split",
  ]) {
    assert.ok(lines.includes(line), `${line}\n${stdout}`);
  }
  const { version, kind, id, job, operators } = JSON.parse(json);
  assert.deepEqual([version, kind, id, job], [1, "checkpoint", 1, "golden"]);
  const tumbling = operators.find(({ uid }: { uid: string }) => uid === "tumbling");
  assert.deepEqual(
    { ...tumbling, bytes: 0 },
    {
      ...{ uid: "tumbling", kind: "window", parallelism: 1, maxParallelism: 4, bytes: 0, key: "string", undecoded: {} },
      ...{ states: [{ name: "windows", type: null, ttlMs: null, entries: 15 }], parts: { input: 28 }, splits: [] },
      ...{ committables: 0, finished: 0 },
    },
  );
});

test("state get shows what one key has, whatever its type", async () => {
  const shown = async (...args: string[]): Promise<unknown[]> => {
    const stdout = await cli("get", GOLDEN, ...args);
    return stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
  };
  const [seen, timers, latest, session, waiting] = await Promise.all([
    shown("state", "seen", "çelik"),
    shown("state", "timers", "ada"),
    shown("latest", "value", "0"),
    shown("sessions", "sessions", '{"user":"ada","item":"pen"}'),
    shown("ordered", "waiting", "19"),
  ]);
  assert.deepEqual(seen, [
    { key: "çelik", value: { items: 4, last: "note 19 of 0", when: "1970-01-01T00:00:19.000Z" } },
  ]);
  assert.deepEqual(timers.length, 4);
  assert.deepEqual(
    latest.map((row) => (row as { value: { price: number } }).value.price),
    [19],
  );
  assert.deepEqual(session, [
    {
      key: { item: "pen", user: "ada" },
      ...{ start: "1970-01-01T00:00:15.000Z", end: "1970-01-01T00:00:20.000Z", value: { n: 1, last: 15 } },
    },
  ]);
  assert.equal((waiting[0] as { at: string }).at, "1970-01-01T00:00:19.000Z");
});

test("state export writes all entries, as JSON Lines or as CSV", async () => {
  const [jsonl, csv] = await Promise.all([
    cli("export", GOLDEN, "state", "number"),
    cli("export", GOLDEN, "sessions", "sessions", "--format", "csv"),
  ]);
  const rows = jsonl.trimEnd().split("\n").sort();
  assert.equal(rows.length, 5);
  assert.equal(rows[0], '{"key":"","value":4}');
  const [head, ...lines] = csv.trimEnd().split("\n");
  assert.equal(head, "key,start,end,value");
  assert.equal(lines.length, 7);
  const line =
    '"{""item"":""pen"",""user"":""ada""}",1970-01-01T00:00:15.000Z,1970-01-01T00:00:20.000Z,"{""n"":1,""last"":15}"';
  assert.ok(lines.includes(line), csv);
});

test("state diff counts and shows what was added, removed and changed", async (context) => {
  const directory = temporary(context);
  const golden = new Map(
    ["latest", "chk-1/_metadata", "chk-1/1-0-0", "chk-1/3-0-0"].map((path) => [path, readFileSync(join(GOLDEN, path))]),
  );
  const { files } = await goldenRun({ from: golden, more: 3 });
  for (const [path, bytes] of files) {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  }
  const [same, changed, json] = await Promise.all([
    cli("diff", GOLDEN, join(directory, "chk-1")),
    cli("diff", GOLDEN, directory, "--limit", "1"),
    cli("diff", GOLDEN, directory, "--json"),
  ]);
  assert.equal(same, "no entry differs\n");
  assert.match(changed, /^state {2}number {2}3 changed$/m);
  assert.match(
    changed,
    /^ {2}~ \{"key":".*","value":4\}\n {2}→ \{"key":".*","value":5\}\n {2}… 2 more: --limit shows them$/m,
  );
  assert.match(changed, /^ordered {2}waiting {2}2 added, 2 removed$/m);
  const { states, only } = JSON.parse(json);
  assert.deepEqual(only, []);
  const number = states.find(({ state }: { state: string }) => state === "number");
  assert.deepEqual(number.entries.length, 3);
  assert.deepEqual(number.entries[0].kind, "changed");
});

test("what is not there, damaged, or of a later version is told", async (context) => {
  const directory = temporary(context);
  cpSync(GOLDEN, directory, { recursive: true });
  const file = join(directory, "chk-1/1-0-0");
  const bytes = readFileSync(file);
  bytes[4_000]! ^= 1;
  writeFileSync(file, bytes);
  const later = join(directory, "later/chk-1");
  cpSync(join(GOLDEN, "chk-1"), later, { recursive: true });
  const metadata = readFileSync(join(later, "_metadata"));
  writeFileSync(join(later, "_metadata"), laterVersion(metadata));
  const expected: readonly (readonly [string, RegExp, ...Parameters<typeof cli>])[] = [
    ["CHECKPOINT_PATH_INVALID", /is no directory/, "ls", join(directory, "none")],
    ["CHECKPOINT_PATH_INVALID", /has neither a checkpoint nor a savepoint/, "ls", tmpdir()],
    ["CHECKPOINT_OBJECT_DAMAGED", /^chk-1\/1-0-0 is damaged: a checksum differs/, "export", directory, "state", "seen"],
    ["CHECKPOINT_VERSION_UNKNOWN", /is of version 2; known is up to 1/, "ls", later],
    ["STATE_NOT_THERE", /there is no operator "stat" in it/, "get", GOLDEN, "stat", "seen", "a"],
    ["STATE_NOT_THERE", /state has no state "sen" in it/, "get", GOLDEN, "state", "sen", "a"],
    ["STATE_NOT_THERE", /events has no state "seen" in it/, "export", GOLDEN, "events", "seen"],
    ["STATE_KEY_NOT_THERE", /state has nothing in "seen" for the key eve/, "get", GOLDEN, "state", "seen", "eve"],
    ["STATE_KEY_INVALID", /eve is no key of type i64/, "get", GOLDEN, "latest", "value", "eve"],
    ["CLI_ARGUMENT_MISSING", /millrace state get needs key/, "get", GOLDEN, "state", "seen"],
    ["CLI_OPTION_VALUE", /--format xml is no format/, "export", GOLDEN, "state", "seen", "--format", "xml"],
    ["CLI_OPTION_VALUE", /--limit all is no number/, "diff", GOLDEN, GOLDEN, "--limit", "all"],
  ];
  for (const [code, message, name, ...args] of expected) await assert.rejects(cli(name, ...args), { code, message });
});

/** The same with another version, rightly checked. */
function laterVersion(metadata: Buffer): Buffer {
  const body = metadata.subarray(metadata.indexOf("\n") + 1);
  const checksum = crc32(body, 2).toString(16).padStart(8, "0");
  return Buffer.concat([Buffer.from(`millrace checkpoint ${checksum} 2\n`), body]);
}
