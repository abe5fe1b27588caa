import type { Mutant } from "../mutant.ts";

const STORE = "src/checkpoint/completed-store.ts";
const DIRECTORY = "src/checkpoint/storage/directory-storage.ts";
const METADATA = "src/checkpoint/format/metadata.ts";
const RESTORE = "src/checkpoint/restore.ts";
const RESTORE_TESTS = ["src/checkpoint/restore.test.ts"];
const ALIGNER = "src/taskmanager/task/barrier-aligner.ts";
const ATTEMPTS = "src/jobmanager/job-attempts.ts";
const RESTARTS = "src/jobmanager/restart-strategy.ts";
const COORDINATOR = "src/jobmanager/checkpointing/coordinator.ts";
const COMMITTABLES = "src/jobmanager/checkpointing/committables.ts";
const TASK_CHECKPOINTS = "src/taskmanager/task/task-checkpoints.ts";
const SIMULATED = ["test/simulation/crashes.test.ts"];

/** Of checkpoints: when they are taken, of what they consist, what is committed. */
export const CHECKPOINTS: readonly Mutant[] = [
  {
    name: "the end of a task counts for a checkpoint that it had taken before",
    file: COORDINATOR,
    find: "const counts = each.id > (state.taken.get(task) ?? 0);",
    replace: "const counts = true;",
  },
  {
    name: "a checkpoint is too late by a rounding error only after the time that was asked for",
    file: COORDINATOR,
    find: "nowMs >= startedMs + timeoutMs);",
    replace: "nowMs - startedMs >= timeoutMs);",
  },
  {
    name: "what one subtask has committed goes for all",
    file: COMMITTABLES,
    find: "each.sink === sink && each.subtask === subtask && each.checkpoint <= upTo;\n    return new",
    replace: "each.sink === sink && each.checkpoint <= upTo;\n    return new",
  },
  {
    name: "what is being committed is in no later checkpoint",
    file: "src/jobmanager/checkpointing/checkpoint-driver.ts",
    find: "    const prepared = due.map((each) => this.#withTask(each));\n",
    replace:
      "    const prepared = due.map((each) => this.#withTask(each));\n    for (const { task, prepared: { sink } } of prepared) this.committed(task, sink, id);\n",
    tests: SIMULATED,
  },
  {
    name: "a source takes the next checkpoint while a barrier has no room",
    file: TASK_CHECKPOINTS,
    find: "this.#taking ??= this.#next();",
    replace: "this.#taking = this.#next() ?? this.#taking;",
  },
];
