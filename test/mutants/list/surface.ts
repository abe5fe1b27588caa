import type { Mutant } from "../mutant.ts";

const DISK = "src/testing/sim-disk.ts";
const SIM = "src/testing/sim-env.ts";
const ARGUMENTS = "src/cli/arguments.ts";

/** Of cli, client, storage and testing. */
export const SURFACE: readonly Mutant[] = [
  {
    name: "a subtask that a test feeds nothing holds event time back",
    file: "src/testing/stub-source.ts",
    find: "    return this.#read.size > 0 && !this.#read.has(subtask) && !this.#ended;\n",
    replace: "    return this.#ended && !this.#read.has(subtask);\n",
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
    file: "src/cli/interrupts.ts",
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
];
