// What the compiler says about mistakes in a job: it names the mistake, not the inner workings of the API's types.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../..");

const HEAD = `import { collection, count, csv, generate, job, jsonl, print, quantile, state, sum, t, tumbling } from "millrace";
const Tick = t.struct({ symbol: t.string, price: t.f64, ts: t.timestamp, tags: t.list(t.string) });
export default job({ name: "mistakes" }, (env) => {
const ticks = env.from("ticks", collection([], { type: Tick })).eventTime({ at: "ts" });
const rows = ticks.keyBy("symbol").window(tumbling("1m")).aggregate({ n: count() });
`;

/** A line of a job, and what the compiler says of it. */
const MISTAKES: readonly (readonly [line: string, message: RegExp])[] = [
  ['csv("x.csv", { type: Tick, delimeter: ";" });', /'delimeter' does not exist.*Did you mean to write 'delimiter'/],
  ['csv("x.csv", { delimeter: ";" });', /Did you mean to write 'delimiter'/],
  ['jsonl("x.jsonl", { type: Tick, invald: "side" });', /Did you mean to write 'invalid'/],
  ['ticks.eventTime({ at: "ts", outOfOder: "5s" });', /Did you mean to write 'outOfOrder'/],
  ["print({ tabel: { last: 5 } });", /Did you mean to write 'table'/],
  ["generate(5, (n) => ({ n }), { rat: 5 });", /Did you mean to write 'rate'/],
  ['state.value(t.f64, { tll: "1m" });', /'tll' does not exist/],
  ['quantile("price", 0.5, { eror: 0.1 });', /Did you mean to write 'error'/],
  ['ticks.parse(Tick, { invalid: "sid" });', /'"sid"' is not assignable to.*InvalidPolicy/],
  ['ticks.map(async (tick) => tick).to("o", print());', /functions are synchronous: no async, no await/],
  ["ticks.filter(async ({ price }) => price > 1);", /'Promise<boolean>' is not assignable to type 'boolean'/],
  ['ticks.map(Tick, async (tick) => tick).to("o", print());', /functions are synchronous: no async, no await/],
  ['ticks.flatMap(async (tick) => [tick]).to("o", print());', /functions are synchronous: no async, no await/],
  ['ticks.flatMap(Tick, async (tick) => [tick]).to("o", print());', /functions are synchronous: no async, no await/],
  ['ticks.flatMap(async function* () { yield 1; }).to("o", print());', /functions are synchronous: no async/],
  ["ticks.flatMap(Tick, (tick) => [{ ...tick, price: '1' }]);", /'string' is not assignable to type 'number'/],
  ["ticks.map((tick) => { tick.price = 1; return tick; });", /Cannot assign to 'price' because it is a read-only/],
  ["ticks.filter((tick) => (tick.price = 1) > 0);", /Cannot assign to 'price' because it is a read-only property/],
  ["ticks.filter(({ price }) => price);", /'number' is not assignable to type 'boolean'/],
  ["ticks.map((tick) => tick.prise);", /'prise' does not exist on type 'Readonly<\{ symbol: string; price: number;/],
  ['ticks.keyBy("symbl");', /the records have no field \\"symbl\\" that can be a key/],
  ['ticks.keyBy("tags");', /the records have no field \\"tags\\" that can be a key/],
  ["ticks.keyBy((tick) => tick.symbol);", /Expected 2 arguments/],
  ['ticks.keyBy("symbol").aggregate({ s: sum("prise") });', /Property 'prise' is missing/],
  ['ticks.keyBy("symbol").aggregate({ s: sum("symbol") });', /property 'symbol' are incompatible/],
  ["ticks.side.late;", /'late' does not exist on type 'NoSideOutputs'/],
  ['ticks.keyBy("symbol").aggregate({ n: count() }).side.late;', /'late' does not exist on type 'NoSideOutputs'/],
  ["rows.side.lat;", /Did you mean 'late'/],
  [
    "rows.map((row) => row.m);",
    /'m' does not exist on type 'Readonly<\{ readonly start: number; readonly end: number; symbol: string; n: number; \}>'/,
  ],
  ["ticks.join(ticks);", /there is no join: .*connect/],
  ["ticks.distinct();", /there is no distinct: .*distinctCount/],
  ["ticks.take(5);", /there is no take: .*bound the source/],
  ["ticks.count();", /there is no count: .*aggregate/],
  ["ticks.aggregate({ n: count() });", /key it first: \.keyBy\(…\)\.aggregate/],
  [
    'ticks.map(t.struct({ side: t.enum("buy", "sell") }), () => ({ side: "by" }));',
    /'"by"' is not assignable to.*"buy"/,
  ],
  ["ticks.map(Tick, (tick) => ({ ...tick, price: '1' }));", /'string' is not assignable to type 'number'/],
];

test("the compiler names the mistake, on its line and on no other", () => {
  const folder = mkdtempSync(join(tmpdir(), "compiler-messages-"));
  after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(ROOT, join(folder, "node_modules/millrace"));
  writeFileSync(join(folder, "job.ts"), `${HEAD}${MISTAKES.map(([line]) => line).join("\n")}\n});\n`);
  const compilerOptions = {
    ...{ strict: true, noEmit: true, module: "nodenext", target: "esnext", lib: ["esnext"], skipLibCheck: true },
    ...{ allowImportingTsExtensions: true, customConditions: ["millrace-source"] },
    ...{ types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] },
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["job.ts"] }));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  const first = HEAD.split("\n").length;
  const said = new Map<number, string>();
  let at = 0;
  for (const line of stdout.split("\n")) {
    at = Number(/^job\.ts\((\d+),/.exec(line)?.[1] ?? at);
    said.set(at, `${said.get(at) ?? ""}${line}\n`);
  }
  for (const [index, [line, message]] of MISTAKES.entries()) assert.match(said.get(first + index) ?? "", message, line);
  assert.equal(said.size, MISTAKES.length, `errors on other lines:\n${stdout}`);
});
