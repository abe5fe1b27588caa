import type { Mutant } from "../mutant.ts";

const TASK = "src/taskmanager/task.ts";
const SINK = "src/taskmanager/sink-driver.ts";
const FLAT_MAP = "src/taskmanager/flat-map-driver.ts";
const SOURCE = "src/taskmanager/source-driver.ts";
const SLOT = "src/taskmanager/slot.ts";
const MANAGER = "src/taskmanager/task-manager.ts";
const PATH = "src/taskmanager/watermark-path.ts";

export const TASKMANAGER: readonly Mutant[] = [
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
    tests: ["src/taskmanager/task.test.ts"],
  },
  {
    name: "an invalid record that is set aside has no time",
    file: "src/taskmanager/parse-driver.ts",
    find: "this.invalid?.offer(row, timestampMs);",
    replace: "this.invalid?.offer(row, NaN);",
  },
  {
    name: "records that a schema refuses are not counted",
    file: "src/taskmanager/parse-driver.ts",
    find: "    this.#options.onInvalid();\n",
    replace: "",
  },
  {
    name: "one subtask's wait holds up the others at a source's coordinator",
    file: "src/taskmanager/source-coordinator.ts",
    find: `this.#waiting = this.#waiting.filter((request) => !this.#tryAnswer(request));`,
    replace: `while (this.#waiting[0] !== undefined && this.#tryAnswer(this.#waiting[0])) this.#waiting.shift();`,
  },
  {
    name: "requests for splits are answered before the enumerator has started",
    file: "src/taskmanager/source-coordinator.ts",
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
    tests: ["src/taskmanager/source-driver.test.ts", "src/testing/test-job.test.ts"],
  },
  {
    name: "a failure of addSplit is lost",
    file: SOURCE,
    find: "      this.#failure = { error }; // Thrown by the poll that follows: nobody is here to take it.\n",
    replace: "      void error;\n",
  },
  {
    name: "a driver of event times says again and again that it is idle",
    file: "src/taskmanager/event-time-driver.ts",
    find: "    this.#idle = this.#generator.idle;\n",
    replace: "",
  },
  {
    name: "a watermark is delivered to the steps behind one that has not taken it",
    file: PATH,
    find: "      if (!this.#deliverTo(this.#steps[this.#at]!)) return false;",
    replace: "      if (!this.#deliverTo(this.#steps[this.#at]!) && this.#at > this.#steps.length) return false;",
  },
  {
    name: "a delivery that stopped goes on with the newest watermark",
    file: PATH,
    find: `if (step.kind === "operator") return step.operator.onWatermark(this.#delivering);`,
    replace: `if (step.kind === "operator") return step.operator.onWatermark(this.#target);`,
  },
  {
    name: "an input is called idle before the watermark that came first",
    file: PATH,
    find: "this.#delivering = isNewer ? this.#target : Number.NaN;",
    replace: "this.#delivering = isNewer && this.#idle === this.#idleDelivered ? this.#target : Number.NaN;",
  },
  {
    name: "sinks prepare before the exchanges have taken their ends",
    file: TASK,
    find: `      if (partitions[ended.partitions]?.end() === false) return "blocked";`,
    replace: `      if (partitions[ended.partitions]?.end() === false) void this.#prepare();\n      if (partitions[ended.partitions]?.end() === false) return "blocked";`,
  },
  {
    name: "an exchange that had no room for its end is passed over",
    file: TASK,
    find: `      if (partitions[ended.partitions]?.end() === false) return "blocked";`,
    replace: "      partitions[ended.partitions]?.end();",
  },
  {
    name: "operators hear of the end of input before the last watermark",
    file: TASK,
    find: "ended.watermarks < watermarks.length; ended",
    replace: "ended.watermarks < watermarks.length - 1; ended",
  },
  {
    name: "a sink that was not committed is not aborted",
    file: TASK,
    find: `    if (outcome === "abort") await attempt(() => sink.abort());\n`,
    replace: "",
  },
  {
    name: "what a task holds is not closed after the first failure",
    file: TASK,
    find: "      failures.push(error); // The rest must close all the same; reported below.\n",
    replace: "      throw error;\n",
  },
  {
    name: "failures while a task is closed are lost",
    file: TASK,
    find: "  if (failures.length > 0) throw failures[0];\n}",
    replace: "}",
  },
  {
    name: "a task takes more and more at once however slow it is",
    file: TASK,
    find: "this.#chunk = Math.max(1, this.#chunk >> 1);",
    replace: "this.#chunk = Math.max(1, this.#chunk << 1);",
  },
  {
    name: "a task that cannot commit counts as committed",
    file: SLOT,
    find: `await attempt(() => task.close(committed ? "committed" : "abort"));`,
    replace: `await attempt(() => task.close(how === "abort" ? "abort" : "committed"));`,
  },
  {
    name: "a slot that failed to commit closes without a word",
    file: SLOT,
    find: "    if (failures.length > 0) throw failures[0];\n",
    replace: "",
  },
  {
    name: "what others asked of a slot while it was deployed is forgotten",
    file: SLOT,
    find: `if (this.#state === "deploying") this.#early.push(message);`,
    replace: `if (this.#state === "deploying") return;`,
  },
  {
    name: "a slot that was cancelled while it was deployed runs",
    file: SLOT,
    find: `if (this.#state === "deploying") this.#unwanted = true;\n        else this.#close(message.commit`,
    replace: `if (this.#state === "deploying") return;\n        else this.#close(message.commit`,
  },
  {
    name: "a task that has finished gets further turns",
    file: SLOT,
    find: "      if (running.finished) continue;\n      const { metrics }",
    replace: "      const { metrics }",
  },
  {
    name: "a slot that was lost keeps what it held in the pools",
    file: MANAGER,
    find: "    this.#takeBack(slot);\n    this.#options.onSlotLost(slot, exitError(",
    replace: "    this.#options.onSlotLost(slot, exitError(",
  },
  {
    name: "the slot that holds least is ended when the process outgrows its budget",
    file: MANAGER,
    find: "const sorted = all.sort((a, b) => b.bytes - a.bytes);",
    replace: "const sorted = all.sort((a, b) => a.bytes - b.bytes);",
  },
  {
    name: "a slot that was only slow is ended as one that hangs",
    file: MANAGER,
    find: "    if (this.#progressOf(slot) !== stood) {\n      this.#watchdog.remember(slot);\n      return;\n    }\n",
    replace: "    void stood;\n",
  },
  {
    name: "a slot that was slow once is not watched any more",
    file: MANAGER,
    find: "      this.#watchdog.remember(slot);\n",
    replace: "",
  },
  {
    name: "the watchdog takes a slot that sleeps for one that hangs",
    file: "src/taskmanager/watchdog.ts",
    find: "    if (inTurn || seen.rung) {",
    replace: "    if (inTurn || !seen.rung) {",
  },
  {
    name: "a heap guard never lets garbage be collected before it judges",
    file: "src/taskmanager/heap-guard.ts",
    find: "    collect();\n    const heldBytes = usedBytes();\n    if (heldBytes <= budgetBytes) return null;",
    replace: "    const heldBytes = usedBytes();\n    if (heldBytes <= budgetBytes) return null;",
  },
  {
    name: "a turn that is over begins anew with the next question",
    file: "src/taskmanager/turn-clock.ts",
    find: "this.#left = isOver ? 0 : this.#every;",
    replace: "this.#left = this.#every;",
  },
  {
    name: "a run of keys goes on behind the record that filled an output",
    file: "src/taskmanager/key-run.ts",
    find: "this.size = worked < taken ? worked : Math.min(KEY_RUN_MAX, this.size * 2);",
    replace: "this.size = Math.min(KEY_RUN_MAX, this.size * 2);",
  },
  {
    name: "a link between slots rings the slot it comes from",
    file: "src/taskmanager/links.ts",
    find: "receiver: this.#doorbell(link.peer),",
    replace: "receiver: this.#doorbell(this.#options.ownSlot),",
  },
  {
    name: "both ends of a link inside a slot get a queue each",
    file: "src/taskmanager/links.ts",
    find: "      this.#locals.set(id, link);\n",
    replace: "",
  },
  {
    name: "a subtask is released though other files have not been begun",
    file: "src/taskmanager/source-coordinator.ts",
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
    name: "time in which the output was full counts as silence",
    file: TASK,
    find: "driver.watermark(clock.monotonicMs() - this.#stalledMs)",
    replace: "driver.watermark(clock.monotonicMs())",
  },
];
