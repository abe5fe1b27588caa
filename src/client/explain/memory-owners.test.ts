import assert from "node:assert/strict";
import { test } from "node:test";
import { Configuration } from "../../config/configuration.ts";
import { count, generate, job, print, t } from "../../index.ts";
import { taskManagerMemory } from "../../memory/task-manager-memory.ts";
import { jobPlan } from "../job-plan.ts";
import { memoryOwnerRows } from "./memory-owners.ts";

const counted = job({ name: "counted" }, (env) => {
  const rows = env.from(
    "rows",
    generate(3, (n) => ({ n }), { type: t.struct({ n: t.f64 }) }),
  );
  rows.keyBy("n").aggregate({ all: count() }).name("all").slotGroup("slow").to("all", print());
  const one = rows.keyBy("n").reduce("one", (_, right) => right);
  const two = rows.keyBy("n").reduce("two", (_, right) => right);
  one.to("ones", print());
  two.to("twos", print());
});

test("each operator with a key owns managed memory, as much as others in its slots leave", async () => {
  const configuration = new Configuration([
    {
      origin: { kind: "command line" },
      values: { "parallelism.default": 2, "taskmanager.memory.managed.size": "8m", "taskmanager.numberOfTaskSlots": 2 },
    },
  ]);
  const { graph } = await jobPlan(counted, {}, configuration);
  const rows = memoryOwnerRows(graph, taskManagerMemory(configuration, { machineBytes: 8 * 1024 ** 3 }));
  const subtasks = "2 subtasks, each in a slot of its own";
  const shown = rows.map(({ component, pretty, origin, operator }) => [operator, component, pretty, origin]);
  assert.deepEqual(shown, [
    ["rows/n/all = count()", "aggregate", "up to 4 MiB", `owner: rows/n/all = count(); ${subtasks}`],
    ["one", "reduce", "up to 4 MiB", `owner: one; ${subtasks}, shared with 1 other`],
    ["two", "reduce", "up to 4 MiB", `owner: two; ${subtasks}, shared with 1 other`],
  ]);
});
