// The commands of `millrace` and what they take.

import type { CommandSpec, OptionSpec } from "./arguments.ts";

const PARAM: OptionSpec = {
  takes: "values",
  value: "name=value",
  help: "a parameter of the job; may be given several times",
};
const PARALLELISM: OptionSpec = {
  takes: "value",
  value: "n",
  help: "subtasks of operators that do not say otherwise (default: the machine's cores, at most 4)",
};
const LOCAL: OptionSpec = { takes: "flag", help: "as run --local has it: parallelism 1 by default" };
const JSON_OUT: OptionSpec = { takes: "flag", help: "one JSON object on standard output" };
const CONFIG: Readonly<Record<string, OptionSpec>> = {
  config: { takes: "value", value: "file", help: "configuration file (default: the nearest millrace.config.*)" },
  D: {
    takes: "values",
    short: "D",
    value: "key=value",
    help: "an option of the configuration; npx millrace config show lists them",
  },
};

const CHECKPOINT_DIR: OptionSpec = {
  takes: "value",
  value: "dir",
  help: "take checkpoints there; started again, the job goes on from the newest one",
};

const RUN: Readonly<Record<string, OptionSpec>> = {
  param: PARAM,
  parallelism: PARALLELISM,
  local: { takes: "flag", help: "in this one thread, with checks: records are frozen; parallelism 1 by default" },
  "checkpoint-dir": CHECKPOINT_DIR,
  fresh: { takes: "flag", help: "begin anew; checkpoints there are kept aside" },
  from: { takes: "value", value: "path", help: "start from a savepoint or another checkpoint; what is there stays" },
  "renamed-from": { takes: "value", value: "name", help: "name of the job when what --from names was taken" },
  "allow-non-restored": { takes: "flag", help: "drop the state of operators that the job does not have any more" },
  json: {
    takes: "flag",
    help: "a summary as one JSON object on standard output; printed rows go to standard error",
  },
  ...CONFIG,
};

const OF_RUN: OptionSpec = {
  takes: "value",
  value: "dir",
  help: "checkpoint directory of the job, which runs on this machine",
};

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "run",
    summary: "Runs a job on this machine until it ends or Ctrl-C stops it.",
    positional: "job.ts",
    options: RUN,
    example: "npx millrace run job.ts --param in=ticks.csv --parallelism 2",
  },
  {
    name: "dev",
    summary: "Runs a job, and again whenever its file or one that it imports is saved.",
    positional: "job.ts",
    options: RUN,
    example: "npx millrace dev job.ts --local",
  },
  {
    name: "explain",
    summary: "Shows what a job does without running it: operators, tasks, exchanges, state, slots.",
    positional: "job.ts",
    options: {
      param: PARAM,
      parallelism: PARALLELISM,
      local: LOCAL,
      "checkpoint-dir": { ...CHECKPOINT_DIR, help: "as run takes checkpoints there: what each sink guarantees then" },
      dot: { takes: "flag", help: "a picture for Graphviz", excludes: ["mermaid", "json"] },
      mermaid: { takes: "flag", help: "a picture for Mermaid, as Markdown pages show it", excludes: ["json"] },
      json: JSON_OUT,
      ...CONFIG,
    },
    example: "npx millrace explain job.ts --param in=ticks.csv",
  },
  {
    name: "test",
    summary: "Lets a job's process die at random, on virtual time, and compares its rows with an undisturbed run.",
    positional: "job.ts",
    options: {
      chaos: { takes: "value", value: "n", help: "crashes in all (default: 20)" },
      seed: { takes: "value", value: "n", help: "the same seed, the same crashes (default: 1)" },
      param: PARAM,
      parallelism: PARALLELISM,
      json: JSON_OUT,
    },
    example: "npx millrace test job.ts --chaos 50 --param in=few-ticks.csv",
  },
  {
    name: "checkpoints",
    summary: "Shows the checkpoints in a directory, and whether each can be restored.",
    positional: "dir",
    options: { json: JSON_OUT },
    example: "npx millrace checkpoints checkpoints/clicks",
  },
  {
    name: "state ls",
    summary: "Shows what a checkpoint or savepoint holds: operators, states, types, entries.",
    positional: "path",
    options: { json: JSON_OUT },
    example: "npx millrace state ls checkpoints/clicks",
  },
  {
    name: "state get",
    summary: "Shows what a state has for one key.",
    positional: "path",
    further: ["uid", "state", "key"],
    options: {},
    example: "npx millrace state get checkpoints/clicks totals sum alice",
  },
  {
    name: "state export",
    summary: "Writes all entries of a state to standard output.",
    positional: "path",
    further: ["uid", "state"],
    options: { format: { takes: "value", value: "jsonl|csv", help: "how (default: jsonl)" } },
    example: "npx millrace state export checkpoints/clicks totals sum --format csv",
  },
  {
    name: "state diff",
    summary: "Compares two checkpoints or savepoints: entries added, removed, changed.",
    positional: "path",
    further: ["other"],
    options: {
      limit: { takes: "value", value: "n", help: "entries of each kind to show, for each state (default: 10)" },
      json: JSON_OUT,
    },
    example: "npx millrace state diff backups/clicks-v1 checkpoints/clicks",
  },
  {
    name: "savepoint",
    summary: "Writes a savepoint of a running job, which goes on; prints where it is.",
    positional: "path",
    positionalOptional: true,
    needs: ["run"],
    options: { run: OF_RUN, json: JSON_OUT },
    example: "npx millrace savepoint --run checkpoints/clicks backups/clicks-v1",
  },
  {
    name: "savepoint dispose",
    summary: "Removes a savepoint.",
    positional: "path",
    options: {},
    example: "npx millrace savepoint dispose backups/clicks-v1",
  },
  {
    name: "stop",
    summary: "Stops a running job with a last checkpoint; it can go on later.",
    positional: null,
    needs: ["run"],
    options: {
      run: OF_RUN,
      savepoint: { takes: "optional", value: "path", help: "keep what it has come to as a savepoint as well" },
      drain: { takes: "flag", help: "end its input: windows fire, all output is shown; it cannot go on later" },
      json: JSON_OUT,
    },
    example: "npx millrace stop --run checkpoints/clicks --savepoint backups/clicks-v1",
  },
  {
    name: "cancel",
    summary: "Ends a running job at once; it can go on from its newest checkpoint.",
    positional: null,
    needs: ["run"],
    options: { run: OF_RUN, json: JSON_OUT },
    example: "npx millrace cancel --run checkpoints/clicks",
  },
  {
    name: "memory explain",
    summary: "Shows how memory is divided (with a job: for its slots), and where each number comes from.",
    positional: "job.ts",
    positionalOptional: true,
    options: { param: PARAM, parallelism: PARALLELISM, local: LOCAL, json: JSON_OUT, ...CONFIG },
    example: "npx millrace memory explain -D taskmanager.memory.process.size=4gb",
  },
  {
    name: "config show",
    summary: "Shows every option with its value.",
    positional: null,
    options: {
      origin: { takes: "flag", help: "also where each value comes from, and the default" },
      json: JSON_OUT,
      ...CONFIG,
    },
    example: "npx millrace config show --origin",
  },
  {
    name: "init",
    summary: "Makes a project from a template, in a new or empty directory (default: this one).",
    positional: "directory",
    positionalOptional: true,
    options: {
      template: { takes: "value", value: "name", help: "market (the default), iot or csv-clean" },
    },
    example: "npx millrace init my-job --template csv-clean",
  },
];
