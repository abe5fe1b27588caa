// A package with native code in a job: in its functions and in a sink, in slot threads and in one thread.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import { millrace } from "./cli-process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const cwd = mkdtempSync(join(tmpdir(), "native-addon-"));
after(() => rmSync(cwd, { recursive: true }));

mkdirSync(join(cwd, "node_modules"));
for (const name of ["millrace", "@duckdb"]) {
  symlinkSync(name === "millrace" ? ROOT : join(ROOT, "node_modules", name), join(cwd, "node_modules", name));
}
writeFileSync(
  join(cwd, "job.ts"),
  `import { DuckDBInstance, version } from "@duckdb/node-api";
import { generate, job, print, t, type Sink } from "millrace";

type Row = { n: number; by: string };

function duckdb(path: string): Sink<Row> {
  return {
    kind: "duckdb",
    guarantee: "at-least-once",
    describe: () => ({ path }),
    createWriter: () => {
      const rows: Row[] = [];
      return {
        open: async () => undefined,
        write: (row) => rows.push(row) > 0,
        flush: async () => undefined,
        prepareCommit: async () => rows,
        abort: async () => undefined,
        close: async () => undefined,
      };
    },
    createCommitter: () => ({
      commit: async (rows) => {
        const database = await DuckDBInstance.create(path);
        const connection = await database.connect();
        await connection.run("create or replace table rows (n integer, version varchar)");
        for (const { n, by } of rows as Row[]) {
          await connection.run(\`insert into rows values (\${n}, '\${by}')\`);
        }
        connection.closeSync();
        database.closeSync();
      },
    }),
  };
}

export default job({ name: "native", params: t.struct({ to: t.string }) }, (env, { to }) => {
  const rows = env.from("in", generate(10, (n) => ({ n }))).map(({ n }) => ({ n, by: version() }));
  rows.to("table", duckdb(to)).parallelism(1);
  rows.to("shown", print());
});
`,
);

describe("a package with a native addon works in functions and sinks", () => {
  for (const [where, options] of [
    ["slot threads", ["--parallelism", "2"]],
    ["one thread", ["--local"]],
  ] as const) {
    test(`in ${where}`, async () => {
      const file = join(cwd, `${options[0]}.db`);
      const { code, stderr, stdout } = await millrace(["run", "job.ts", "--param", `to=${file}`, ...options], { cwd });
      assert.equal(code, 0, stderr);
      assert.match(stdout, /by: "v\d/);
      const database = await DuckDBInstance.create(file);
      const connection = await database.connect();
      const read = await connection.runAndReadAll("select count(*)::integer, sum(n)::integer from rows");
      assert.deepEqual(read.getRows(), [[10, 45]]);
      connection.closeSync();
      database.closeSync();
    });
  }
});
