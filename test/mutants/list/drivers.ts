import type { Mutant } from "../mutant.ts";

const SINK = "src/taskmanager/drivers/sink-driver.ts";
const FLAT_MAP = "src/taskmanager/drivers/flat-map-driver.ts";
const SOURCE = "src/taskmanager/drivers/source-driver.ts";
const SOURCE_COORDINATOR = "src/taskmanager/drivers/source-coordinator.ts";
const ROW_OUTLET = "src/taskmanager/drivers/row-outlet.ts";
const SOURCE_COORDINATOR_TESTS = ["src/taskmanager/drivers/source-coordinator.test.ts"];
const SOURCE_DRIVER_TESTS = ["src/taskmanager/drivers/source-driver.test.ts"];
const ROW_OUTLET_TESTS = ["src/taskmanager/drivers/row-outlet.test.ts"];

export const DRIVERS: readonly Mutant[] = [
  {
    name: "a commit is prepared without a last flush",
    file: SINK,
    find: "    await this.#named(() => this.#writer.flush());\n    return",
    replace: "    return",
  },
  {
    name: "a commit is prepared while a flush is under way",
    file: SINK,
    find: "    await this.#flushing;\n    if (this.failure",
    replace: "    if (this.failure",
  },
  {
    name: "a sink is aborted while a flush is under way",
    file: SINK,
    find: "    await this.#flushing;\n    await this.#named(() => this.#writer.abort());",
    replace: "    await this.#named(() => this.#writer.abort());",
  },
  {
    name: "what is written during a flush is taken for flushed",
    file: SINK,
    find: "    this.#flushing = null;\n",
    replace: "    this.#flushing = null;\n    this.#dirty = false;\n",
  },
  {
    name: "a failed flush is forgotten",
    file: SINK,
    find: "    this.failure ??= error;\n",
    replace: "",
  },
  {
    name: "a task is not woken after a flush",
    file: SINK,
    find: "    this.#wake();\n",
    replace: "",
  },
  {
    name: "an array that waits in a flatMap is the user's own",
    file: FLAT_MAP,
    find: "this.#pending.push({ items: result.slice(at), at: 0,",
    replace: "this.#pending.push({ items: result, at,",
  },
  {
    name: "results of a later record overtake those that wait in a flatMap",
    file: FLAT_MAP,
    find: "const at = this.#pending.length === 0 ? this.#sendArray(output, result, timestampMs) : 0;",
    replace: "const at = this.#options.status.full ? 0 : this.#sendArray(output, result, timestampMs);",
  },
  {
    name: "a flatMap that stopped at its last result sends it again",
    file: FLAT_MAP,
    find: "|| !(isSmall || this.#goesOn())) return at + 1;",
    replace: "|| !(isSmall || this.#goesOn())) return at;",
  },
  {
    name: "a flatMap with results that wait lets further records in",
    file: FLAT_MAP,
    find: "      this.#options.status.full = true; // F2\n      return;",
    replace: "      return;",
  },
  {
    name: "generators of a flatMap are not closed with the task",
    file: FLAT_MAP,
    find: "    for (const pending of left) pending?.iterator?.return?.();\n",
    replace: "    void left;\n",
  },
  {
    name: "a large array of a flatMap keeps the thread for as long as it is",
    file: FLAT_MAP,
    find: "const isSmall = items.length <= SMALL;",
    replace: "const isSmall = items.length >= SMALL;",
    tests: ["src/taskmanager/task/task.test.ts"],
  },
  {
    name: "an invalid record that is set aside has no time",
    file: "src/taskmanager/drivers/parse-driver.ts",
    find: "this.invalid?.offer(row, timestampMs);",
    replace: "this.invalid?.offer(row, NaN);",
  },
  {
    name: "records that a schema refuses are not counted",
    file: "src/taskmanager/drivers/parse-driver.ts",
    find: "    this.#options.counts.add(issues);\n",
    replace: "",
  },
  {
    name: "one subtask's wait holds up the others at a source's coordinator",
    file: "src/taskmanager/drivers/source-coordinator.ts",
    find: "const left = asked.filter((request) => !this.#tryAnswer(request));",
    replace: "let left = asked; while (left[0] !== undefined && this.#tryAnswer(left[0])) left = left.slice(1);",
  },
  {
    name: "requests for splits are answered before the enumerator has started",
    file: "src/taskmanager/drivers/source-coordinator.ts",
    find: "    if (!this.#started) return;\n",
    replace: "",
  },
  {
    name: "a split that was left is not followed by a request for the next",
    file: SOURCE,
    find: "    this.#options.splits.leave(split);\n    this.#options.requestSplit();",
    replace: "    this.#options.splits.leave(split);",
  },
  {
    name: "a source that ends a split is at its end though there are more",
    file: SOURCE,
    find: `return this.#noMoreSplits ? result : "wait";`,
    replace: "return result;",
  },
  {
    name: "an invalid row that is skipped stops the reader",
    file: SOURCE,
    find: `return policy === "skip" || invalid.offer(row, NaN);`,
    replace: `return policy !== "skip" && invalid.offer(row, NaN);`,
    tests: ["src/taskmanager/drivers/source-driver.test.ts", "src/testing/test-job.test.ts"],
  },
  {
    name: "a failure of addSplit is lost",
    file: SOURCE,
    find: "      this.#failure = { error }; // Thrown by the poll that follows: nobody is here to take it.\n",
    replace: "      void error;\n",
  },
  {
    name: "a turn that is over begins anew with the next question",
    file: "src/taskmanager/drivers/turn-clock.ts",
    find: "this.#left = isOver ? 0 : this.#every;",
    replace: "this.#left = this.#every;",
  },
  {
    name: "a subtask is released though other files have not been begun",
    file: "src/taskmanager/drivers/source-coordinator.ts",
    find: 'return this.#options.source.streams === "one" || this.#enumerator.onlyFollows?.(split) === true;',
    replace: "return true || this.#enumerator.onlyFollows?.(split) === true;",
  },
  {
    name: "a split counts only once its reader has got to it",
    file: SOURCE,
    find: "    this.#options.splits.add(split.id);\n",
    replace: "",
  },
  {
    name: "batch mode gives watermarks before the end",
    file: SOURCE,
    find: "    if (this.#options.batch) return;\n",
    replace: "",
  },
  {
    name: "who asks a source's coordinator while it answers is forgotten",
    file: SOURCE_COORDINATOR,
    find: "this.#waiting = [...left, ...this.#waiting];",
    replace: "this.#waiting = left;",
    tests: SOURCE_COORDINATOR_TESTS,
  },
  {
    name: "who asks a source's coordinator while it answers comes first",
    file: SOURCE_COORDINATOR,
    find: "this.#waiting = [...left, ...this.#waiting];",
    replace: "this.#waiting = [...this.#waiting, ...left];",
    tests: SOURCE_COORDINATOR_TESTS,
  },
  {
    name: "an enumerator that wakes from within next is not tried again",
    file: SOURCE_COORDINATOR,
    find: "    this.#again = true;\n    if (this.#retrying) return;",
    replace: "    if (this.#retrying) return;\n    this.#again = true;",
    tests: SOURCE_COORDINATOR_TESTS,
  },
  {
    name: "a subtask is released a second time",
    file: SOURCE_COORDINATOR,
    find: "      this.#held.set(subtask, null);\n      held.release();",
    replace: "      held.release();",
    tests: SOURCE_COORDINATOR_TESTS,
  },
  {
    name: "subtasks of an endless source are released",
    file: SOURCE_COORDINATOR,
    find: "if (this.#options.source.bounded) this.#releaseAll();",
    replace: "this.#releaseAll();",
    tests: SOURCE_COORDINATOR_TESTS,
  },
  {
    name: "a reader that ends while there are more splits ends the source",
    file: SOURCE,
    find: "if (this.#splits.size > 0) this.#checkHeld();",
    replace: "if (this.#splits.size > 1) this.#checkHeld();",
    tests: SOURCE_DRIVER_TESTS,
  },
  {
    name: "a reader's own watermark counts while it is held",
    file: SOURCE,
    find: "return this.#held ? -Infinity :",
    replace: "return this.#held && this.#options.batch ? -Infinity :",
    tests: ["src/taskmanager/drivers/source-driver.test.ts", "src/taskmanager/drivers/source-event-time.test.ts"],
  },
  {
    name: "a bounded source without any split waits for ever",
    file: SOURCE,
    find: '(bounded || this.#hadSplit)) return "end";',
    replace: 'this.#hadSplit) return "end";',
    tests: SOURCE_DRIVER_TESTS,
  },
  {
    name: "rows that were read make no room",
    file: ROW_OUTLET,
    find: "    this.#unreadBytes -= bytes;\n    this.#letGo();",
    replace: "    this.#unreadBytes -= bytes;",
    tests: ROW_OUTLET_TESTS,
  },
  {
    name: "rows of a slot that ends wait for a reader",
    file: ROW_OUTLET,
    find: "    this.#released = true;\n    this.#letGo();",
    replace: "    this.#released = true;",
    tests: ROW_OUTLET_TESTS,
  },
  {
    name: "an outlet made after the release waits",
    file: ROW_OUTLET,
    find: "    if (this.#released) outlet.release();\n",
    replace: "",
    tests: ROW_OUTLET_TESTS,
  },
  {
    name: "bytes that are sent are not bounded",
    file: ROW_OUTLET,
    find: "this.#unreadBytes < UNREAD_BYTES_MAX;",
    replace: "this.#unreadBytes < 1e6 * UNREAD_BYTES_MAX;",
    tests: ROW_OUTLET_TESTS,
  },
  {
    name: "standard input and records with a rate are never idle",
    file: "src/taskmanager/drivers/event-time-driver.ts",
    find: "bounded: !live && (bounded ||",
    replace: "bounded: (bounded ||",
  },
];
