// `millrace dev`: a job that runs again whenever it was saved.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CliProcess, millrace } from "./cli-process.ts";

const scratch = mkdtempSync(join(tmpdir(), "millrace-dev-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function project(name: string, files: Readonly<Record<string, string>>): string {
  const cwd = join(scratch, name);
  mkdirSync(cwd);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(cwd, file), text);
  return cwd;
}

const BOUNDED = (text: string): string => `
  import { collection, job, print } from "millrace";
  export default job({ name: "bounded" }, (env) => {
    env.from("in", collection([1])).map(() => ${text}).to("out", print());
  });`;

test("a job that goes on is stopped in good order when a file that it imports is saved, and starts again", async (t) => {
  const cwd = project("endless", {
    "label.ts": 'export const label = "first";',
    "job.ts": `
      import { datagen, gen, job, jsonl, print } from "millrace";
      import { label } from "./label.ts";
      export default job({ name: "endless" }, (env) => {
        const labels = env.from("in", datagen({ rate: 100, fields: { id: gen.sequence() } })).map(() => label);
        labels.to("shown", print());
        labels.to("kept", jsonl("kept"));
      });`,
  });
  const dev = new CliProcess(["dev", "job.ts", "--parallelism", "1"], { cwd });
  t.after(() => dev.child.kill("SIGINT")); // After a failure, too.
  await dev.printed("first");
  writeFileSync(join(cwd, "label.ts"), 'export const label = "second";');
  await dev.printed("second");
  dev.child.kill("SIGINT");
  const { code, stdout, stderr } = await dev.ended;
  assert.equal(code, 130, stderr);
  assert.match(stderr, /^■ endless stopped [\s\S]*^changed {2}job\.ts starts again$[\s\S]*^■ endless stopped /m);
  assert.doesNotMatch(stdout, /second[\s\S]*first/);
  const parts = readdirSync(join(cwd, "kept")).filter((part) => part.endsWith(".jsonl"));
  const kept = parts.map((part) => readFileSync(join(cwd, "kept", part), "utf8")).join("");
  assert.ok(kept.includes("first") && kept.includes("second"), "what both have written was committed");
});

test("a job that has ended, failed or does not parse starts again when it is saved", async (t) => {
  const cwd = project("bounded", { "job.ts": BOUNDED('"first"') });
  const dev = new CliProcess(["dev", "job.ts", "--local"], { cwd });
  t.after(() => dev.child.kill("SIGINT"));
  let runs = 0;
  const waits = async (): Promise<void> => {
    runs += 1;
    await dev.noted("waiting  job.ts starts again when it has changed; Ctrl-C ends\n", runs);
  };
  await waits();
  assert.match(dev.stdout, /^out {2}"first"$/m);
  writeFileSync(join(cwd, "job.ts"), BOUNDED('{ throw new Error("second"); }'));
  await waits();
  assert.match(dev.stderr, /^✗ USER_FUNCTION_THREW .*second/m);
  writeFileSync(join(cwd, "job.ts"), BOUNDED('"third'));
  await waits();
  assert.match(dev.stderr, /^✗ MODULE_DOES_NOT_PARSE /m);
  writeFileSync(join(cwd, "job.ts"), BOUNDED('"fourth"'));
  await waits();
  assert.match(dev.stdout, /^out {2}"fourth"$/m);
  dev.child.kill("SIGINT");
  assert.equal((await dev.ended).code, 130);
});

test("what no change of the job can mend ends the command: a file that is not there, a wrong configuration", async () => {
  const cwd = project("wrong", { "job.ts": BOUNDED("1") });
  const missing = await millrace(["dev", "job"], { cwd });
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /^✗ MODULE_FILE_MISSING .*\n {2}fix {2}did you mean npx millrace dev job\.ts\?\n$/);
  const configured = await millrace(["dev", "job.ts", "--parallelism", "none"], { cwd });
  assert.equal(configured.code, 2);
  assert.match(configured.stderr, /^✗ CONFIG_BAD_VALUE /);
});
