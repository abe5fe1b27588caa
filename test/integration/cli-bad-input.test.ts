// What users get wrong in a job file and around it: a clear error with a stable code and their own file and line.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type Ended, millrace } from "./cli-process.ts";

const cwd = mkdtempSync(join(tmpdir(), "bad-input-"));
const HEAD = 'import { blackhole, col, count, csv, generate, job, print, sum, t, tumbling } from "millrace";\n';
const ROWS = 'generate(100, (id) => ({ id, name: "n" }), { type: t.struct({ id: t.f64, name: t.string }) })';
const inJob = (...lines: readonly string[]): string =>
  `${HEAD}export default job({ name: "bad" }, (env) => {\n  ${lines.join("\n  ")}\n});`;

type BadJob = {
  readonly what: string;
  readonly source: string;
  readonly code: string;
  /** Line of the file that must be shown; null for errors that have no place. */
  readonly line: number | null;
  readonly args?: readonly string[];
  readonly message?: RegExp;
};

/** Found before anything runs: exit code 2. */
const BEFORE: readonly BadJob[] = [
  {
    what: "does not parse",
    source: `${HEAD}export default job({ name: "bad" }, (env => {});`,
    code: "MODULE_DOES_NOT_PARSE",
    line: 2,
  },
  { what: "imports what is not there", source: 'import "./none.ts";', code: "MODULE_IMPORT_UNRESOLVED", line: 1 },
  {
    what: "imports a name the engine lacks",
    source: 'import { jobs } from "millrace";\nexport default jobs();',
    code: "MODULE_EXPORT_MISSING",
    line: 1,
  },
  {
    what: "throws while it is loaded",
    source: `${HEAD}\nthrow new Error("no luck");`,
    code: "MODULE_THREW",
    line: 3,
    message: /Error: no luck/,
  },
  { what: "ends the process while it is loaded", source: `${HEAD}process.exit(0);`, code: "FUNCTION_EXITED", line: 2 },
  {
    what: "waits for ever while it is loaded",
    source: "await new Promise(() => {});",
    code: "MODULE_NEVER_LOADED",
    line: null,
  },
  {
    what: "has no default export",
    source: `${HEAD}export const j = job({ name: "bad" }, () => {});`,
    code: "JOB_NOT_EXPORTED",
    line: 1,
  },
  { what: "exports something else", source: `${HEAD}\nexport default () => {};`, code: "JOB_NOT_EXPORTED", line: 3 },
  { what: "has no name", source: `${HEAD}export default job({} as never, () => {});`, code: "JOB_INCOMPLETE", line: 2 },
  {
    what: "throws in its builder",
    source: inJob("(env as any).from.to.nowhere();"),
    code: "JOB_BUILDER_THREW",
    line: 3,
  },
  {
    what: "has an asynchronous builder",
    source: `${HEAD}export default job({ name: "bad" }, async () => {});`,
    code: "JOB_BUILDER_ASYNC",
    line: 2,
  },
  { what: "declares nothing", source: inJob(""), code: "JOB_EMPTY", line: 2 },
  {
    what: "has two operators with one uid",
    source: inJob(`const s = env.from("a", ${ROWS});\n  s.to("b", print());\n  s.to("b", print());`),
    code: "UID_DUPLICATE",
    line: 5,
    message: /the other: bad-\d+\.ts:4:\d+/,
  },
  {
    what: "has a stateful operator without a uid",
    source: inJob(
      `env.from("a", ${ROWS}).keyBy("name")`,
      '.process({ out: t.struct({}), onRecord() {} } as never).to("b", print());',
    ),
    code: "UID_MISSING",
    line: 4,
  },
  {
    what: "has a stream without a sink",
    source: inJob(`env.from("a", ${ROWS}).filter(col("id").gt(1));`),
    code: "JOB_WITHOUT_SINK",
    line: 3,
  },
  {
    what: "has a sink without an input",
    source: inJob('(env as any).to("b", print());'),
    code: "SINK_WITHOUT_INPUT",
    line: 3,
  },
  {
    what: "has no source",
    source: inJob('env.from("a", undefined as never).to("b", print());'),
    code: "SOURCE_INVALID",
    line: 3,
  },
  {
    what: "keys by a field that is not there",
    source: inJob(`env.from("a", ${ROWS})\n  .keyBy("nmae" as never).reduce("r", (x) => x).to("b", print());`),
    code: "FIELD_UNKNOWN",
    line: 4,
  },
  {
    what: "filters by a field that is not there",
    source: inJob(`env.from("a", ${ROWS})`, '.filter(col("nmae").eq("n") as never).to("b", print());'),
    code: "FIELD_UNKNOWN",
    line: 4,
    message: /fix {2}did you mean "name"\? The records have id, name/,
  },
  {
    what: "aggregates a field that is not there",
    source: inJob(`env.from("a", ${ROWS}).keyBy("name")`, '.aggregate({ s: sum("idd" as never) }).to("b", print());'),
    code: "FIELD_UNKNOWN",
    line: 4,
    message: /aggregate s names the field "idd"/,
  },
  {
    what: "aggregates, among others, a field that is not there",
    source: inJob(
      `env.from("a", ${ROWS}).keyBy("name").aggregate({`,
      "n: count(),",
      's: sum("idd" as never),',
      '}).to("b", print());',
    ),
    code: "FIELD_UNKNOWN",
    line: 5,
    message: /aggregate s names the field "idd"[\s\S]*▸ 5 │ .*\n.* │ +\^/,
  },
  {
    what: "takes event times from a field that is not there",
    source: inJob(`env.from("a", ${ROWS})`, '.eventTime({ at: "tss" as never }).to("b", print());'),
    code: "FIELD_UNKNOWN",
    line: 4,
    message: /fix {2}use one of id, name/,
  },
  {
    what: "has a sink without a uid",
    source: inJob(`env.from("a", ${ROWS})`, ".to(print() as never, undefined as never);"),
    code: "UID_MISSING",
    line: 4,
    message: /sink print has no uid[\s\S]*for example \.to\("out", print\(\)\)/,
  },
  {
    what: "has a source without a uid",
    source: inJob("const any = env as any;", `any.from(${ROWS}).to("b", print());`),
    code: "UID_MISSING",
    line: 4,
    message: /source generate has no uid/,
  },
  {
    what: "has a text for a window",
    source: inJob(
      `env.from("a", ${ROWS}).eventTime({ at: "id" }).keyBy("name")`,
      '.window("1m" as never).aggregate({ n: count() }).to("b", print());',
    ),
    code: "WINDOW_INVALID",
    line: 4,
    message: /\.window\(tumbling\("1m"\)\)/,
  },
  {
    what: "reads invalid rows that the source does not set aside",
    source: inJob('const rows = env.from("a", csv("rows.csv"));', 'rows.side.invalid.to("b", print());'),
    code: "SIDE_OUTPUT_OFF",
    line: 4,
  },
  {
    what: "is given a misspelt parameter",
    source: `${HEAD}export default job({ name: "bad", params: t.struct({ out: t.string }) }, () => {});`,
    args: ["--param", "ouut=x"],
    code: "PARAMS_INVALID",
    line: 2,
    message: /out: expected string, got nothing; there is no parameter "ouut": did you mean out\?/,
  },
  {
    what: "has windows without event time",
    source: inJob(
      `env.from("a", ${ROWS}).keyBy("name")\n  .window(tumbling("1m")).aggregate({ n: count() }).to("b", print());`,
    ),
    code: "WINDOW_WITHOUT_EVENT_TIME",
    line: 4,
  },
  {
    what: "has a policy where it could have no effect",
    source: inJob(`env.from("a", ${ROWS})\n  .filter(col("id").gt(1)).onError("skip").to("b", print());`),
    code: "ON_ERROR_WITHOUT_EFFECT",
    line: 4,
  },
  {
    what: "names a side output errors",
    source: inJob(
      `env.from("a", ${ROWS}).keyBy("id")`,
      '.process({ uid: "p", out: t.any, side: { errors: t.f64 } as never, onRecord() {} }).to("b", print());',
    ),
    code: "SIDE_NAME_RESERVED",
    line: 4,
  },
  {
    what: "has a misspelt mode",
    source: `${HEAD}export default job({ name: "bad", mode: "Batch" as never }, () => {});`,
    code: "OPTION_INVALID",
    line: 2,
    message: /did you mean "batch"\?/,
  },
  {
    what: "has a misspelt policy for invalid records",
    source: inJob(`env.from("a", ${ROWS})`, '.parse(t.any, { invalid: "sid" as never }).to("b", print());'),
    code: "OPTION_INVALID",
    line: 4,
    message: /did you mean "side"\?/,
  },
  {
    what: "has a misspelt policy for errors",
    source: inJob(`env.from("a", ${ROWS})`, '.map((r) => r).onError("skp" as never).to("b", print());'),
    code: "OPTION_INVALID",
    line: 4,
    message: /did you mean "skip"\?/,
  },
  {
    what: "reads a file that nobody named",
    source: inJob(
      "const { BAD_INPUT_UNSET } = process.env;",
      'env.from("a", csv(BAD_INPUT_UNSET as never)).to("b", print());',
    ),
    code: "CONNECTOR_OPTION_INVALID",
    line: 4,
    message: /the path of csv is undefined/,
  },
  {
    what: "has a sink with a misspelt mode",
    source: inJob(`env.from("a", ${ROWS})`, '.to("b", csv("out", { mode: "apend" as never }));'),
    code: "CONNECTOR_OPTION_INVALID",
    line: 4,
    message: /did you mean "append"\?/,
  },
  {
    what: "has, outside of its builder, an option that is misspelt",
    source: `${HEAD}const days = tumbling("1d", { zoen: "UTC" } as never);\nexport default job({ name: "bad" }, () => void days);`,
    code: "OPTION_UNKNOWN",
    line: 2,
    message: /did you mean zone\?/,
  },
  {
    what: "has parallelism 0",
    source: inJob(`env.from("a", ${ROWS})\n  .map((r) => r)\n  .parallelism(0)\n  .to("b", print());`),
    code: "PARALLELISM_INVALID",
    line: 5,
  },
  {
    what: "has more parallelism than its maximum",
    source: inJob(`env.from("a", ${ROWS})\n  .map((r) => r).maxParallelism(2).parallelism(3).to("b", print());`),
    code: "PARALLELISM_ABOVE_MAXIMUM",
    line: 4,
  },
  {
    what: "has an asynchronous function",
    source: inJob(`env.from("a", ${ROWS})\n  .map(async (r) => r).to("b", print());`),
    code: "FUNCTION_ASYNC",
    line: 4,
  },
  {
    what: "is given no parameter that it needs",
    source: `${HEAD}export default job({ name: "bad", params: t.struct({ n: t.f64 }) }, () => {});`,
    code: "PARAMS_INVALID",
    line: 2,
  },
  {
    what: "is given an ill-typed parameter",
    source: `${HEAD}export default job({ name: "bad", params: t.struct({ n: t.f64 }) }, () => {});`,
    args: ["--param", "n=many"],
    code: "PARAMS_INVALID",
    line: 2,
    message: /n: .*"many"/,
  },
  {
    what: "is given an unknown parameter",
    source: inJob(`env.from("a", ${ROWS}).to("b", print());`),
    args: ["--param", "n=1"],
    code: "PARAMS_UNKNOWN",
    line: 2,
  },
  {
    what: "is given an unknown configuration key",
    source: inJob(`env.from("a", ${ROWS}).to("b", print());`),
    args: ["-D", "parallelism.defualt=2"],
    code: "CONFIG_UNKNOWN_KEY",
    line: null,
    message: /did you mean parallelism\.default\?/,
  },
  {
    what: "is given an ill-typed configuration value",
    source: inJob(`env.from("a", ${ROWS}).to("b", print());`),
    args: ["--parallelism", "0"],
    code: "CONFIG_BAD_VALUE",
    line: null,
    message: /integer from 1/,
  },
];

/** Found in a slot: exit code 1, the same in slot threads and in one thread. */
const WHILE_RUNNING: readonly BadJob[] = [
  {
    what: "builds another plan each time",
    source: inJob(`env.from("a", ${ROWS})\n  .filter(col("id").gt(Math.floor(Math.random() * 1e9))).to("b", print());`),
    code: "PLAN_DIFFERS",
    line: 4,
    message: /operator "a\/filter", options\.expression\.right\.value: \d+ became \d+/,
  },
  {
    what: "filters by a field that its first record does not have",
    source: inJob(
      'env.from("a", generate(9, (id) => ({ id })))',
      '.filter(col("idd").gt(1) as never).to("b", print());',
    ),
    code: "FIELD_UNKNOWN",
    line: 4,
    message: /did you mean "id"\?/,
  },
  {
    what: "has a key that is none: told at its keyBy",
    source: inJob(
      'env.from("a", generate(9, (id) => ({ id, key: id === 7 ? NaN : id })))',
      '.keyBy("key")',
      '.reduce("r", (left) => left).to("b", print());',
    ),
    code: "KEY_INVALID",
    line: 4,
    message: /is NaN/,
  },
  {
    what: "has a function that throws",
    source: inJob(
      `env.from("a", ${ROWS})`,
      '.map((r) => { if (r.id === 7) throw new Error("seven"); return r; }).to("b", blackhole());',
    ),
    code: "USER_FUNCTION_THREW",
    line: 4,
    message: /Error: seven/,
  },
  {
    what: "has a source that throws",
    source: inJob(
      'env.from("a", generate(9, (id) => {',
      'if (id === 1) throw new Error("one"); return { id }; })).map((r) => ({ ...r })).to("b", blackhole());',
    ),
    code: "USER_FUNCTION_THREW",
    line: 4,
    message: /source "a" threw Error: one/,
  },
  {
    what: "has a function of keyBy that throws",
    source: inJob(
      `env.from("a", ${ROWS})`,
      '.keyBy((r) => { if (r.id === 7) throw new Error("seven"); return r.id; }, t.f64)',
      '.aggregate({ n: count() }).uid("n").to("b", blackhole());',
    ),
    code: "USER_FUNCTION_THREW",
    line: 4,
    message: /keyBy before "n" threw Error: seven on the record \{ id: 7/,
  },
  {
    what: "has a timer function that throws",
    source: inJob(
      `env.from("a", ${ROWS}).eventTime({ at: "id" }).keyBy("name").process({ uid: "p", out: t.any,`,
      'onRecord(r, { timers }) { timers.set("late", r.id + 1_000); },',
      'onTimer() { throw new Error("due"); } }).to("b", blackhole());',
    ),
    code: "USER_FUNCTION_THREW",
    line: 5,
    message: /onTimer of process "p" threw Error: due on the timer "late" of the key 'n' at 109[89]/,
  },
  {
    what: "emits more in one call than there can be room for",
    source: inJob(
      `env.from("a", ${ROWS}).keyBy("id")`,
      '.process({ uid: "p", out: t.any, onRecord(_, ctx) { for (let id = 0; id < 300_000; id += 1) ctx.emit({ id }); } })',
      '.rebalance().map((r) => r).parallelism(2).to("b", blackhole());',
    ),
    code: "EMIT_OVERDRAFT",
    line: 4,
  },
  {
    what: "reads a file that is not there",
    source: inJob('env\n  .from("a", csv("none.csv")).to("b", blackhole());'),
    code: "FILE_MISSING",
    line: 4,
  },
  {
    what: "reads files of which there are none",
    source: inJob('env\n  .from("a", csv("none-*.csv")).to("b", blackhole());'),
    code: "FILES_NONE",
    line: 4,
  },
  {
    what: "keeps state without memory for it",
    source: inJob(
      `env.from("a", ${ROWS}).keyBy("id")`,
      '.process({ uid: "p", out: t.any, onRecord() {} }).to("b", blackhole());',
    ),
    code: "STATE_BUDGET_EXCEEDED",
    line: 4,
    args: ["-D", "taskmanager.memory.managed.size=0"],
    message: /operator "p" keeps state, and the slot's share of managed memory, 0 B/,
  },
  {
    what: "has a function that rejects late",
    source: inJob(
      'env.from("a", generate(1e9, (id) => ({ id }), { rate: 100 }))',
      '.map((r) => { if (r.id === 3) Promise.reject(new Error("late")); return r; }).to("b", blackhole());',
    ),
    code: "FUNCTION_THREW_LATE",
    line: 4,
    message: /Error: late/,
  },
  {
    what: "has a function that throws from a timer",
    source: inJob(
      'env.from("a", generate(1e9, (id) => ({ id }), { rate: 100 }))',
      '.map((r) => { if (r.id === 3) setTimeout(() => { throw new Error("tick"); }, 1); return r; })',
      '.to("b", blackhole());',
    ),
    code: "FUNCTION_THREW_LATE",
    line: 4,
    message: /Error: tick/,
  },
  {
    what: "has a function that ends the process",
    source: inJob(
      `env.from("a", ${ROWS})\n  .map((r) => { if (r.id === 3) process.exit(0); return r; }).to("b", blackhole());`,
    ),
    code: "FUNCTION_EXITED",
    line: 4,
  },
  {
    what: "has a function that returns a promise",
    source: inJob(`env.from("a", ${ROWS})\n  .map((r) => Promise.resolve(r)).to("b", blackhole());`),
    code: "FUNCTION_RETURNED_PROMISE",
    line: 4,
  },
];

let files = 0;
function write(source: string): string {
  files += 1;
  const name = `bad-${files}.ts`;
  writeFileSync(join(cwd, name), source);
  return name;
}

function check({ code, stderr }: Ended, file: string, bad: BadJob, exit: number): void {
  assert.equal(code, exit, stderr);
  assert.match(stderr, new RegExp(`^✗ ${bad.code} {2}\\S`, "m"));
  if (bad.line !== null) {
    assert.match(stderr, new RegExp(`^ {3}${file}:${bad.line}:\\d+$`, "m"));
    assert.match(stderr, new RegExp(`^ ▸ +${bad.line} │`, "m"));
  }
  assert.match(stderr, /^ {2}fix {2}\S/m);
  if (bad.message !== undefined) assert.match(stderr, bad.message);
  assert.doesNotMatch(stderr, /^ +at /m, "no stack");
}

describe("a job file that is wrong", { concurrency: 2 }, () => {
  after(() => rmSync(cwd, { recursive: true, force: true }));

  for (const bad of BEFORE) {
    test(`${bad.what}: ${bad.code}, nothing is run`, async () => {
      const file = write(bad.source);
      const ended = await millrace(["explain", file, ...(bad.args ?? [])], { cwd });
      check(ended, file, bad, 2);
      assert.equal(ended.stdout, "");
    });
  }

  for (const bad of WHILE_RUNNING) {
    for (const mode of [[], ["--local"]]) {
      test(`${bad.what}: ${bad.code}, ${mode.length === 0 ? "in slot threads" : "in one thread"}`, async () => {
        const file = write(bad.source);
        check(await millrace(["run", file, ...mode, ...(bad.args ?? [])], { cwd }), file, bad, 1);
      });
    }
  }

  const configs: readonly [file: string, text: string, code: string, line: number][] = [
    ["bad.config.ts", 'export default {\n  "parallelism.defualt": 2,\n};', "CONFIG_UNKNOWN_KEY", 2],
    ["bad.config.json", '{\n  "parallelism": {\n    "default": 0 } }', "CONFIG_BAD_VALUE", 3],
  ];
  for (const [file, text, code, line] of configs) {
    test(`${file} with an error: ${code} at its line`, async () => {
      writeFileSync(join(cwd, file), text);
      const job = write(inJob(`env.from("a", ${ROWS}).to("b", print());`));
      for (const command of [
        ["run", job],
        ["explain", job],
        ["config", "show"],
      ]) {
        check(await millrace([...command, "--config", file], { cwd }), file, { what: "", source: "", code, line }, 2);
      }
    });
  }

  test("every error of a file is told, each at its place", async () => {
    const { code, stderr } = await millrace(["run", write('import "./none.ts";\nimport "no-such-package";')], { cwd });
    assert.equal(code, 2);
    assert.deepEqual(
      [...stderr.matchAll(/^ {3}bad-\d+\.ts:(\d+):/gm)].map(([, line]) => line),
      ["1", "2"],
    );
  });

  test("a file that is not there is told of, in run and explain alike", async () => {
    for (const command of ["run", "explain"]) {
      const { code, stderr } = await millrace([command, "nowhere.ts"], { cwd });
      assert.equal(code, 2);
      assert.match(stderr, /^✗ MODULE_FILE_MISSING {2}there is no job file nowhere\.ts\n {2}fix/);
    }
  });

  test("a file of data in the place of a job is told of", async () => {
    writeFileSync(join(cwd, "rows.csv"), "id,name\n1,n\n");
    const { code, stderr } = await millrace(["run", "rows.csv"], { cwd });
    assert.equal(code, 2);
    assert.match(stderr, /^✗ MODULE_FILE_KIND {2}the job file rows\.csv is no TypeScript or JavaScript file\n {2}fix/);
  });

  test("with --json the same is told as one object on standard output", async () => {
    const { code, stdout } = await millrace(["run", write(inJob("")), "--json"], { cwd });
    assert.equal(code, 2);
    const { errors } = JSON.parse(stdout) as { errors: { code: string; location: { line: number } }[] };
    assert.deepEqual([errors[0]?.code, errors[0]?.location.line], ["JOB_EMPTY", 2]);
  });

  test("a function that changes a record fails at its line when checks are on", async () => {
    const source = inJob(
      `env.from("a", ${ROWS})\n  .map((r) => { (r as { id: number }).id = 3; return r; }).to("b", blackhole());`,
    );
    const file = write(source);
    check(
      await millrace(["run", file, "--local"], { cwd }),
      file,
      { what: "", source, code: "RECORD_MUTATED", line: 4 },
      1,
    );
  });

  test("a builder that never returns ends the command with its line", async () => {
    const file = write(
      inJob("for (let n = 0; n >= 0; n += 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);"),
    );
    const { code, stderr } = await millrace(["explain", file, "-D", "millrace.task.watchdog-timeout=5s"], { cwd });
    assert.equal(code, 2, stderr);
    assert.match(stderr, new RegExp(`^✗ FUNCTION_NEVER_RETURNED.*\\n {3}${file}:3:`));
  });

  test("a function that never returns, and one that allocates for ever, end their slot and nothing else", async () => {
    const spins = write(
      inJob(
        `env.from("a", ${ROWS}).map((r) => {`,
        "for (let n = 0; r.id === 7; n += 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);",
        'return r; }).to("b", blackhole());',
      ),
    );
    const spun = await millrace(["run", spins, "-D", "millrace.task.watchdog-timeout=5s"], { cwd });
    assert.equal(spun.code, 1, spun.stderr);
    assert.match(spun.stderr, new RegExp(`^✗ FUNCTION_NEVER_RETURNED.*\\n {3}${spins}:4:`));
    const alone = await millrace(["run", spins, "--local", "-D", "millrace.task.watchdog-timeout=5s"], { cwd });
    assert.equal(alone.code, 1, alone.stderr);
    assert.match(alone.stderr, new RegExp(`^✗ FUNCTION_NEVER_RETURNED.*\\n {3}${spins}:4:`));
    assert.doesNotMatch(alone.stderr, /debugger/);
    const hoarder = inJob(
      'env.from("a", generate(1e9, (id) => ({ id })))',
      '.map((r) => { kept.push(new Array(1000).fill(r.id)); return r; }).to("b", blackhole());',
    ).slice(HEAD.length);
    const hoards = write(`${HEAD}const kept: unknown[] = [];\n${hoarder}`);
    const small = ["-D", "taskmanager.memory.task.heap.size=64mb", "-D", "taskmanager.memory.managed.size=64mb"];
    const hoarded = await millrace(["run", hoards, "--parallelism", "1", ...small], { cwd });
    assert.equal(hoarded.code, 1, hoarded.stderr);
    assert.match(hoarded.stderr, /^✗ SLOT_OUT_OF_MEMORY.*64 MiB/m);
  });
});
