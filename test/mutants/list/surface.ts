import type { Mutant } from "../mutant.ts";

const DISK = "src/testing/sim-disk.ts";
const SIM = "src/testing/sim-env.ts";
const ARGUMENTS = "src/cli/session/arguments.ts";
const ROW_QUEUE = "src/client/row-queue.ts";
const JOB_HANDLE = "src/client/job-handle.ts";
const JOB_METRICS = "src/client/job-metrics.ts";
const ROW_QUEUE_TESTS = ["src/client/row-queue.test.ts"];
const JOB_HANDLE_TESTS = ["src/client/job-handle.test.ts"];
const JOB_METRICS_TESTS = ["src/client/job-metrics.test.ts"];

/** Of cli, client, storage and testing. */
export const SURFACE: readonly Mutant[] = [
  {
    name: "a subtask that a test feeds nothing holds event time back",
    file: "src/testing/stub-source.ts",
    find: "    return this.#read.size > 0 && !this.#read.has(subtask) && !this.#ended;\n",
    replace: "    return this.#ended && !this.#read.has(subtask);\n",
  },
  {
    name: "a bad row without issues is taken from a test",
    file: "src/testing/test-input.ts",
    find: "return raw !== undefined && TEXTS.accepts(issues) && isPlace;",
    replace: "return raw !== undefined && isPlace;",
  },
  {
    name: "a harness takes records after the end of its input",
    file: "src/testing/harness.ts",
    find: "if (this.#said === Infinity) throw inputEnded(",
    replace: "if (this.#said === -1) throw inputEnded(",
  },
  {
    name: "the first records of a further subtask come late for want of a word before them",
    file: "src/testing/stub-source.ts",
    find: "    this.#script.addFirst(() => {\n",
    replace: "    if (this.#read.size === 1) this.#script.addFirst(() => {\n",
  },
  {
    name: "a harness has watermarks in batch mode",
    file: "src/testing/harness-watermarks.ts",
    find: `  if (plan.mode === "batch" || eventTimes.includes(null) || found.length === 0) return null;\n`,
    replace: "  if (eventTimes.includes(null) || found.length === 0) return null;\n",
  },
  {
    name: "a harness has a watermark before each record where a run has one at each step",
    file: "src/testing/harness-watermarks.ts",
    find: "isMarked ? Math.max(...options.map(stepMs)) : 0",
    replace: "0",
  },
  {
    name: "what was not synced survives a loss of power on the simulated disk",
    file: DISK,
    find: "    this.#loseUnsynced(this.#root);\n",
    replace: "",
  },
  {
    name: "a handle of the simulated disk lives on after a crash",
    file: DISK,
    find: "          if (crashes !== this.#crashes)\n",
    replace: "          if (crashes > this.#crashes)\n",
  },
  {
    name: "removed files still take up space on the simulated disk",
    file: DISK,
    find: `      if (entry.kind === "file") this.#usedBytes -= entry.size;\n`,
    replace: "",
  },
  {
    name: "events of one simulated instant run in the order they were made",
    file: SIM,
    find: "  if (left.order !== right.order) return left.order < right.order;\n",
    replace: "",
  },
  {
    name: "a cancelled timer of the simulation runs",
    file: SIM,
    find: "    event.run = null;\n",
    replace: "",
  },
  {
    name: "the simulation's clock stands still",
    file: SIM,
    find: "    this.#elapsedMs = untilMs;\n",
    replace: "",
  },
  {
    name: "of equal parameters the first wins",
    file: ARGUMENTS,
    find: "return Object.fromEntries(found);",
    replace: "return Object.fromEntries(found.reverse());",
  },
  {
    name: "a value with an equals sign in it is cut off",
    file: ARGUMENTS,
    find: "return [text.slice(0, at).trim(), text.slice(at + 1)];",
    replace: `return [text.slice(0, at).trim(), text.split("=")[1] ?? ""];`,
  },
  {
    name: "the next option is taken for a value",
    file: ARGUMENTS,
    find: "if (value !== undefined && (inlineValue === true || !/^--?[a-z]/i.test(value))) return value;",
    replace: "if (value !== undefined) return value;",
  },
  {
    name: "a command for the shell is not quoted",
    file: ARGUMENTS,
    find: "return /^[\\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll(\"'\", \"'\\\\''\")}'`;",
    replace: "return word;",
  },
  {
    name: "an interrupt that npm hands on ends the job at once",
    file: "src/cli/session/interrupts.ts",
    find: "if (nowMs - this.#receivedMs >= SAME_SIGNAL_MS)",
    replace: "if (nowMs - this.#receivedMs >= 0)",
  },
  {
    name: "999,999 is shown as a thousand thousands",
    file: "src/cli/terminal/number-text.ts",
    find: `count < 999_500 ? ["k", 1e3]`,
    replace: `count < 1_000_000 ? ["k", 1e3]`,
  },
  {
    name: "an hour of elapsed time has a hundred minutes",
    file: "src/cli/terminal/number-text.ts",
    find: "Math.floor(seconds / 60) % 60,",
    replace: "Math.floor(seconds / 60),",
  },
  {
    name: "a configuration file further up is preferred to a nearer one",
    file: "src/client/config-node.ts",
    find: "    if (names[0] !== undefined) return join(folder, names[0]);\n    if (folder === dirname(folder)) return null;",
    replace:
      "    const above = folder === dirname(folder) ? null : configFileFind(dirname(folder));\n    if (above !== null || names[0] === undefined) return above;\n    return join(folder, names[0]);",
  },
  {
    name: "a position in a JSON text is counted from the start of the file in columns",
    file: "src/client/config-node.ts",
    find: `column: (before.at(-1) ?? "").length + 1 };`,
    replace: `column: before.join("\\n").length + 1 };`,
  },
  {
    name: "late records that go to side.late are not counted",
    file: "src/client/job-metrics.ts",
    find: ` + setAside,`,
    replace: `,`,
  },
  {
    name: "a batch of rows is reported as read when its first row is",
    file: ROW_QUEUE,
    find: "      if (done !== true) return { done: false, value };\n      this.#rows = null;\n      this.#batches.shift();\n      this.#onRead(batch);",
    replace:
      "      if (done !== true) return { done: false, value };\n      this.#rows = null;\n      this.#batches.shift();",
    tests: ROW_QUEUE_TESTS,
  },
  {
    name: "the error of a job is for the first reader alone",
    file: ROW_QUEUE,
    find: "    if (this.#end.error !== null) throw this.#end.error;\n    return DONE;",
    replace:
      "    const { error } = this.#end;\n    this.#end = { error: null };\n    if (error !== null) throw error;\n    return DONE;",
    tests: ROW_QUEUE_TESTS,
  },
  {
    name: "a second reader takes rows from the first",
    file: ROW_QUEUE,
    find: "    if (this.#reader !== null) {\n      throw",
    replace: "    if (this.#reader === reader) {\n      throw",
    tests: ROW_QUEUE_TESTS,
  },
  {
    name: "a failure that nobody asks for is a rejection that nobody handles",
    file: JOB_HANDLE,
    find: "    this.#result.catch(() => undefined); // H1\n",
    replace: "",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a failure that somebody hears of is logged as well",
    file: JOB_HANDLE,
    find: "error !== null && !this.#asked && !wasRead",
    replace: "error !== null && !wasRead",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a failure that a reader of rows hears of is logged as well",
    file: JOB_HANDLE,
    find: "error !== null && !this.#asked && !wasRead",
    replace: "error !== null && !this.#asked",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a failure that stop gives is logged as well",
    file: JOB_HANDLE,
    find: "    return this.result;\n",
    replace: "    return this.#result;\n",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a failure that nobody hears of is not logged once cancel was called",
    file: JOB_HANDLE,
    find: "    await this.#end;\n",
    replace: "    await this.end;\n",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "rows of a job that was stopped are dropped",
    file: JOB_HANDLE,
    find: 'end.outcome === "cancelled");',
    replace: 'end.outcome !== "finished");',
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a cancel is done before nothing of the job is left",
    file: JOB_HANDLE,
    find: '    this.#options.connection.send({ kind: "cancel" });\n    await this.#end;',
    replace: '    this.#options.connection.send({ kind: "cancel" });',
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "metrics are given in the order in which they were asked for",
    file: JOB_HANDLE,
    find: "this.#requests.get(message.request)?.(",
    replace: "[...this.#requests.values()][0]?.(",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "an error of a job has places in its bundle",
    file: JOB_HANDLE,
    find: "return this.#options.told(errorFromData(data));",
    replace: "return errorFromData(data);",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "of two sinks that nobody reads only one is named",
    file: JOB_HANDLE,
    find: "this.#reminders.has(uid)",
    replace: "this.#reminders.size > 0",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a job that has ended is said to wait for a reader",
    file: JOB_HANDLE,
    find: "    for (const reminder of this.#reminders.values()) reminder.cancel();\n",
    replace: "",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a job is said to wait for a reader who has come since",
    file: JOB_HANDLE,
    find: "      if (!queue.wasRead) log",
    replace: "      log",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a reminder keeps a program up",
    file: JOB_HANDLE,
    find: "after(NOBODY_READS_MS, remind, { background: true })",
    replace: "after(NOBODY_READS_MS, remind)",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "text for standard output goes to no program",
    file: JOB_HANDLE,
    find: " || isToStdout(options)),",
    replace: "),",
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "a sink that gives no rows is one that the job has not",
    file: JOB_HANDLE,
    find: 'operator.uid === uid && operator.kind === "sink"',
    replace: 'operator.uid === uid && operator.kind === "rows"',
    tests: JOB_HANDLE_TESTS,
  },
  {
    name: "invalid rows count as skipped as well",
    file: JOB_METRICS,
    find: 'skipped: metrics.sum("numRecordsInErrors") - invalid,',
    replace: 'skipped: metrics.sum("numRecordsInErrors"),',
    tests: JOB_METRICS_TESTS,
  },
  {
    name: "the lowest watermark is that of a task that has ended",
    file: JOB_METRICS,
    find: 'watermark !== -Infinity && metrics.activity(entry) !== "ended"',
    replace: "watermark !== -Infinity",
    tests: JOB_METRICS_TESTS,
  },
  {
    name: "a task that has no watermark yet hides those of the others",
    file: JOB_METRICS,
    find: "if (watermark !== -Infinity && metrics",
    replace: "if (metrics",
    tests: JOB_METRICS_TESTS,
  },
  {
    name: "the values of a gauge are added",
    file: JOB_METRICS,
    find: 'if (kind === "gauge")',
    replace: 'if (kind === ("gage" as string))',
    tests: JOB_METRICS_TESTS,
  },
  {
    name: "rates of subtasks are not added",
    file: JOB_METRICS,
    find: "(sum, { index }) => sum + rates.perSecond(index), 0)",
    replace: "(_sum, { index }) => rates.perSecond(index), 0)",
    tests: JOB_METRICS_TESTS,
  },
  {
    name: "a claim that fails leaves those before it held",
    file: "src/client/targets/job-claim.ts",
    find: "    await release();\n    throw error;",
    replace: "    throw error;",
    tests: ["src/client/targets/own-output.test.ts"],
  },
  {
    name: "a parameter that is undefined is given as a text",
    file: "src/client/code-params.ts",
    find: ".filter(([, value]) => value !== undefined)",
    replace: ".filter(([, value]) => value !== null)",
    tests: ["src/client/code-params.test.ts"],
  },
  {
    name: "explain takes the pace of reading for certain when there are several subtasks",
    file: "src/client/explain/time-text.ts",
    find: `kind !== "preAggregate" && parallelism > 1`,
    replace: `kind !== "preAggregate" && parallelism > 4`,
  },
  {
    name: "explain says nothing of timers that wait for all files",
    file: "src/client/explain/time-text.ts",
    find: `if (order !== "end" && !waits) continue;`,
    replace: `if (order !== "end") continue;`,
  },
  {
    name: "the thread that plans closes at its end what has become another's file",
    file: "src/client/planner-node.ts",
    find: "trackUnmanagedFds: false,",
    replace: "trackUnmanagedFds: true,",
    tests: ["test/integration/descriptors.test.ts"],
  },
];
