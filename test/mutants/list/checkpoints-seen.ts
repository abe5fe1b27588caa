import type { Mutant } from "../mutant.ts";

const CLIENT = ["test/integration/client-checkpoints.test.ts"];

/** What users are told of checkpoints and recoveries, and how they end a job. */
export const CHECKPOINTS_SEEN: readonly Mutant[] = [
  {
    name: "a job that reads what cannot be read again is started again, without what it has read",
    file: "src/client/checkpoints.ts",
    find: "repeatable: streams.length === 0",
    replace: "repeatable: true",
    tests: CLIENT,
  },
  {
    name: "a job with checkpoints that is stopped before all its tasks run shows what no checkpoint knows",
    file: "src/jobmanager/job-master.ts",
    find: 'isInNone ? "cancel" : "stop"',
    replace: 'isInNone ? "stop" : "stop"',
  },
  {
    name: "a recovery is told before all its tasks run",
    file: "src/jobmanager/recovery/recoveries.ts",
    find: "      if (each.waiting.size > 0) continue;\n",
    replace: "",
  },
  {
    name: "a checkpoint is listed as whole when its files have their sizes",
    file: "src/checkpoint/checkpoint-list.ts",
    find: "await checkBytes(storage, metadata);",
    replace: 'await (await import("./verify.ts")).checkSizes(storage, metadata);',
  },
  {
    name: "the summary of an endless job that has failed says that nothing is written, whatever its checkpoints have shown",
    file: "src/cli/commands/run-summary.ts",
    find: "if (!commits && kept !== null)",
    replace: "if (!commits && kept === -1)",
  },
];
