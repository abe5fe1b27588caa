// What the command line suggests when it was not called as it should be, and its help.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { millrace } from "./cli-process.ts";

describe("the command line", { concurrency: 2 }, () => {
  test("knows the job file whose name lacks its extension", async () => {
    const { code, stderr } = await millrace(["run", "rows.job", "--param", "count=5"]);
    assert.equal(code, 2);
    assert.match(stderr, /^✗ MODULE_FILE_MISSING {2}there is no job file rows\.job\n/);
    assert.match(stderr, /\n {2}fix {2}did you mean npx millrace run rows\.job\.ts --param count=5\?\n$/);
  });

  test("names the flag whose value is wrong", async () => {
    const { code, stderr } = await millrace(["run", "rows.job.ts", "--param", "count=5", "--parallelism", "two"]);
    assert.equal(code, 2);
    assert.match(stderr, /^✗ CONFIG_BAD_VALUE {2}--parallelism \(parallelism\.default\) is "two"\n/);
  });

  test("says that slots follow from the parallelism, unless they are set", async () => {
    const options = ["--param", "count=5", "--parallelism", "8", "-D", "taskmanager.memory.task.heap.size=100mb"];
    const derived = await millrace(["run", "rows.job.ts", ...options]);
    assert.equal(derived.code, 2);
    assert.match(derived.stderr, /^✗ MEMORY_IMPOSSIBLE .* ÷ 8 \(the slots that the job needs\)\n/);
    assert.match(derived.stderr, /or lower the job's parallelism \(--parallelism, parallelism\.default\)/);
    const set = await millrace(["run", "rows.job.ts", ...options, "-D", "taskmanager.numberOfTaskSlots=9"]);
    assert.match(set.stderr, / ÷ 9 \(taskmanager\.numberOfTaskSlots\)\n.*or lower taskmanager\.numberOfTaskSlots/);
  });

  test("shows a command's help in each way that is asked for it", async () => {
    const helps = [
      ["run", ["run", "--help"], ["help", "run"]],
      ["memory explain", ["memory", "--help"], ["help", "memory"], ["help", "memory", "explain"]],
      ["config show", ["config", "-h"]],
    ] as const;
    for (const [command, ...ways] of helps) {
      for (const args of ways) {
        const { code, stdout } = await millrace(args);
        assert.equal(code, 0);
        assert.match(stdout, new RegExp(`^usage {4}npx millrace ${command}\\b`, "m"));
      }
    }
    const { code, stderr } = await millrace(["help", "nonsense"]);
    assert.equal(code, 2);
    assert.match(stderr, /there is no command "nonsense"/);
  });
});
