import type { Mutant } from "../mutant.ts";

const PANES = "src/operators/windows/pane-set.ts";
const TREE = "src/operators/windows/session-tree.ts";
const COMPONENT = "src/operators/aggregates/fixed-component.ts";
const PROCESS = "src/operators/process/process-operator.ts";
const GENERATOR = "src/operators/event-time/watermark-generator.ts";
const COMBINER = "src/operators/event-time/watermark-combiner.ts";
const IN_ORDER = "src/operators/in-order/in-order-operator.ts";
const RANGES = "src/operators/indexed-ranges.ts";
const TIMESTAMP = "src/operators/event-time/timestamp.ts";
const WATERMARKS_TESTS = ["src/operators/event-time/watermarks.test.ts"];
const TIMESTAMP_TESTS = ["src/operators/event-time/timestamp.test.ts"];

export const OPERATORS: readonly Mutant[] = [
  {
    name: "the end of a pane belongs to it",
    file: "src/operators/windows/pane-clock.ts",
    find: "if (timeMs >= this.#startMs && timeMs < this.#endMs) return this.#pane;",
    replace: "if (timeMs >= this.#startMs && timeMs <= this.#endMs) return this.#pane;",
  },
  {
    name: "a time that clocks show twice falls into the pane of the first one",
    file: "src/operators/windows/pane-clock.ts",
    find: "    while (this.startOf(pane + 1) <= timeMs) pane += 1;\n",
    replace: "",
  },
  {
    name: "a pane that was deleted cannot be added again at once",
    file: PANES,
    find: "    this.#last = Number.NaN;\n",
    replace: "",
  },
  {
    name: "the first pane of a run is not found from the one before",
    file: PANES,
    find: "    if (run[middle]! < pane) low = middle + 1;\n",
    replace: "    if (run[middle]! <= pane) low = middle + 1;\n",
  },
  {
    name: "a run of panes that is empty stays",
    file: PANES,
    find: "    if (run.length === 0) this.#runs.splice(at, 1);\n",
    replace: "",
  },
  {
    name: "a session that starts at the time asked for is not found",
    file: TREE,
    find: "const isUpTo = this.#startOf(session) <= timeMs;",
    replace: "const isUpTo = this.#startOf(session) < timeMs;",
  },
  {
    name: "what hangs on a removed session is lost on one side",
    file: TREE,
    find: "this.#i32[place] = earlier === NULL ? later : earlier;",
    replace: "this.#i32[place] = earlier;",
  },
  {
    name: "the hour that clocks skip is not the end of a gap",
    file: "src/operators/windows/utc-offset.ts",
    find: "localMs - before : Math.max(changeMs, localMs - after);",
    replace: "localMs - before : localMs - after;",
  },
  {
    name: "an offset of windows beyond their size is another window",
    file: "src/operators/windows/window-spec.ts",
    find: "  return ms % everyMs;",
    replace: "  return ms;",
    tests: ["src/operators/windows/window-operator.test.ts", "src/api/check-options.test.ts"],
  },
  {
    name: "a late partial row counts as one record",
    file: "src/operators/windows/window-emitter.ts",
    find: `this.#context.metrics.count("numLateRecordsDropped", count);`,
    replace: `this.#context.metrics.count("numLateRecordsDropped", count > 0 ? 1 : 0);`,
  },
  {
    name: "a session is given before a record a gap after its last one is late",
    file: "src/operators/windows/session-window-operator.ts",
    find: "    const isOver = endMs <= this.#watermark;\n",
    replace: "    const isOver = endMs - 1 <= this.#watermark;\n",
  },
  {
    name: "a record overtakes what the combiner holds of its group when it is switched off",
    file: "src/operators/windows/pre-aggregate-operator.ts",
    find: "    if (address !== -1) this.#send(address);\n",
    replace: "",
  },
  {
    name: "records pass while the combiner holds others of their group",
    file: "src/operators/windows/pre-aggregate-operator.ts",
    find: "this.#offFor > 0 && this.#isEmpty()) this.#pass();",
    replace: "this.#offFor > 0) this.#pass();",
  },
  {
    name: "a combiner that has paid again is off for long at its next failure",
    file: "src/operators/windows/pre-aggregate-operator.ts",
    find: "this.#offTimes = pays ? 1 : Math.min(",
    replace: "this.#offTimes = pays ? this.#offTimes : Math.min(",
  },
  {
    name: "a record with a field of partial rows' names is taken for one",
    file: "src/operators/windows/pre-aggregation.ts",
    find: `!type.fields.some(({ name }) => name.startsWith("#"))`,
    replace: `!fields.some(({ name }) => name.startsWith("#"))`,
    tests: ["src/operators/windows/pre-aggregate-operator.test.ts"],
  },
  {
    name: "the combiner stays on where its rows stand for few records",
    file: "src/operators/windows/pre-aggregate-operator.ts",
    find: "this.#sentRecords >= paysFrom * this.#sentRows",
    replace: "this.#sentRecords >= this.#sentRows",
  },
  {
    name: "a part of a sketch replaces what was merged before",
    file: "src/operators/aggregates/quantile-sketch.ts",
    find: "    this.#zeros += readF64(input);\n",
    replace: "    this.#zeros = readF64(input);\n",
  },
  {
    name: "microseconds pass as milliseconds",
    file: "src/operators/event-time/timestamp.ts",
    find: "if (!(ms > -FAR_MS && ms < FAR_MS)) return false;",
    replace: "if (!(ms > -MAX_MS && ms < MAX_MS)) return false;",
  },
  {
    name: "a window that stopped in the middle goes on behind the row that filled the output",
    file: "src/operators/windows/tumbling-firing.ts",
    find: "        walk.at += 1;\n        if (!this.#emit(walk.rows[walk.at - 1]!, startMs, endMs)) return false;",
    replace: "        if (!this.#emit(walk.rows[walk.at]!, startMs, endMs)) return false;\n        walk.at += 1;",
  },
  {
    name: "the least of numbers is the greatest",
    file: COMPONENT,
    find: "return `if (!(${w(0)} <= ${x})) ${replaceUnlessNaN(w, x)}`;",
    replace: "return `if (!(${w(0)} >= ${x})) ${replaceUnlessNaN(w, x)}`;",
  },
  {
    name: "NaN is taken for the least of numbers",
    file: COMPONENT,
    find: "return `{ if (${x} === ${x}) ${w(0)} = ${x}; }`;",
    replace: "return `{ ${w(0)} = ${x}; }`;",
  },
  {
    name: "of equal times the first to arrive is the last",
    file: COMPONENT,
    find: "return `{ const t = ${order(time)}; if (t >= ${w(0)})",
    replace: "return `{ const t = ${order(time)}; if (t > ${w(0)})",
  },
  {
    name: "the low part of a sum is lost when sums are merged",
    file: COMPONENT,
    find: `return \`{ const x = \${v(0)}; \${addExactly(w, "x", v(1))} }\`;`,
    replace: `return \`{ const x = \${v(0)}; \${addExactly(w, "x", "0")} }\`;`,
  },
  {
    name: "the counts of two accumulators are not added",
    file: COMPONENT,
    find: "return `${w(0)} += ${v(0)};`;",
    replace: "return `${w(0)} = ${v(0)};`;",
  },
  {
    name: "of records that are equally good the later one wins",
    file: COMPONENT,
    find: "(${x} === ${w(0)} && ${t} < ${w(1)})",
    replace: "(${x} === ${w(0)} && ${t} > ${w(1)})",
  },
  {
    name: "objects of a closed slot stay charged to the heap",
    file: "src/operators/aggregates/aggregate-objects.ts",
    find: "      this.#charge(-this.#sizes[i]!);\n",
    replace: "",
  },
  {
    name: "a reduce that threw on a record emits for it",
    file: "src/operators/aggregates/reduce-operator.ts",
    find: "      this.#options.onThrow(error, record, timestampMs);\n      return;",
    replace: "      this.#options.onThrow(error, record, timestampMs);",
  },
  {
    name: "timers of processing time carry it as event time",
    file: PROCESS,
    find: `call.timestamp = domain === "event" ? at : NaN;`,
    replace: "call.timestamp = at;",
  },
  {
    name: "a process function's context goes on after a call that threw",
    file: PROCESS,
    find: "    } finally {\n      call.underWay = false;\n    }\n  }\n\n  #call(",
    replace: "    }\n  }\n\n  #call(",
  },
  {
    name: "the watermark of a process function is that before",
    file: PROCESS,
    find: '    user.watermark = watermark;\n    return this.#fire("event", watermark);',
    replace: '    const all = this.#fire("event", watermark);\n    user.watermark = watermark;\n    return all;',
  },
  {
    name: "timers that were dropped are not counted",
    file: PROCESS,
    find: `    if (dropped > 0) context.metrics.count("numTimersDropped", dropped);\n`,
    replace: "    void dropped;\n",
  },
  {
    name: "a watermark lies at the greatest event time itself",
    file: GENERATOR,
    find: "const watermark = reached - this.#options.outOfOrderMs - 1;",
    replace: "const watermark = reached - this.#options.outOfOrderMs;",
  },
  {
    name: "what a split that was left has seen does not count",
    file: GENERATOR,
    find: "      if (!this.#held) this.#advance(); // What it has seen counts, before it is forgotten.\n",
    replace: "",
  },
  {
    name: "a split is idle a moment after the time set",
    file: GENERATOR,
    find: "} else if (nowMs - clock.activeMs >= clock.idleMs) {",
    replace: "} else if (nowMs - clock.activeMs > clock.idleMs) {",
  },
  {
    name: "a channel that goes on stays idle",
    file: COMBINER,
    find: "    state.idle = false;\n",
    replace: "",
  },
  {
    name: "a finished channel holds the others back",
    file: COMBINER,
    find: "      if (channel.ended) continue;\n",
    replace: "",
  },
  {
    name: "of several ranges the one furthest ahead goes on",
    file: RANGES,
    find: "if (least === null || range.next < least.next) least = range;",
    replace: "if (least === null || range.next > least.next) least = range;",
    tests: ["src/taskmanager/source-driver.test.ts", "src/connectors/datagen/datagen.test.ts"],
  },
  {
    name: "the first record of a source with a rate comes one late",
    file: RANGES,
    find: "return Math.floor(((nowMs - this.#startMs) / 1_000) * this.#ratePerSecond) + 1;",
    replace: "return Math.floor(((nowMs - this.#startMs) / 1_000) * this.#ratePerSecond);",
    tests: ["src/taskmanager/source-driver.test.ts", "src/connectors/datagen/datagen.test.ts"],
  },
  {
    name: "the watermark of a bounded source is released at once",
    file: GENERATOR,
    find: "    this.#held = options.held === true;\n",
    replace: "    this.#held = false;\n",
  },
  {
    name: "a split of a bounded source that waits for its disk is idle",
    file: GENERATOR,
    find: "idleMs: this.#options.bounded === true && !isLive ? Infinity : this.#options.idleMs,",
    replace: "idleMs: split === WHOLE && this.#options.bounded === true ? Infinity : this.#options.idleMs,",
  },
  {
    name: "a pipe is never idle",
    file: GENERATOR,
    find: "idleMs: this.#options.bounded === true && !isLive ? Infinity : this.#options.idleMs,",
    replace: "idleMs: this.#options.bounded === true ? Infinity : this.#options.idleMs,",
  },
  {
    name: "when all splits are idle the watermark stays with the slowest",
    file: GENERATOR,
    find: "const reached = least === Infinity ? this.greatest : least; // Nobody is active: B2.",
    replace: "const reached = least === Infinity ? -Infinity : least;",
  },
  {
    name: "when all channels are idle the watermark stays with the slowest",
    file: COMBINER,
    find: "const reached = this.#idle ? greatest : least;",
    replace: "const reached = least;",
  },
  {
    name: "a day written in digits is taken for milliseconds",
    file: "src/operators/event-time/timestamp.ts",
    find: "ms < DAYS_TO && isDay(ms)",
    replace: "ms < DAYS_FROM && isDay(ms)",
  },
  {
    name: "the steps of a split are those of another",
    file: GENERATOR,
    find: "current.nextStepMs = current.greatest + stepMs;",
    replace: "current.nextStepMs = this.#watermark + stepMs;",
    tests: [
      "src/operators/event-time/watermarks.test.ts",
      "src/taskmanager/event-time-driver.test.ts",
      "src/taskmanager/source-event-time.test.ts",
    ],
  },
  {
    name: "a split that was idle is active one record late",
    file: GENERATOR,
    find: "if ((!idle || touched) && greatest < least) least = greatest;",
    replace: "if (!idle && greatest < least) least = greatest;",
    tests: WATERMARKS_TESTS,
  },
  {
    name: "records behind the splits before are counted though they are within outOfOrder",
    file: GENERATOR,
    find: "floor: before - this.#options.outOfOrderMs - 1,",
    replace: "floor: before,",
    tests: ["src/operators/event-time/watermarks.test.ts", "src/taskmanager/event-time-driver.test.ts"],
  },
  {
    name: "the first split keeps what was seen before it",
    file: GENERATOR,
    find: "    const isFirst = this.#splits.delete(WHOLE);\n",
    replace: "    const isFirst = this.#splits.has(WHOLE);\n",
    tests: WATERMARKS_TESTS,
  },
  {
    name: "a time of -0 keeps its sign",
    file: TIMESTAMP,
    find: "? ms + 0 : NaN; //",
    replace: "? ms : NaN; //",
    tests: TIMESTAMP_TESTS,
  },
  {
    name: "seconds lose a millisecond to rounding",
    file: TIMESTAMP,
    find: "return Math.abs(ms - whole) < 5e-4 ? whole : ms;",
    replace: "return ms + 0 * whole;",
    tests: TIMESTAMP_TESTS,
  },
  {
    name: "bigint microseconds lose their fraction",
    file: TIMESTAMP,
    find: "return Number(value / perMs) + Number(value % perMs) / UNITS[unit].perMs;",
    replace: "return Number(value / perMs);",
    tests: TIMESTAMP_TESTS,
  },
  {
    name: "seconds of 1985 pass as milliseconds",
    file: TIMESTAMP,
    find: "const SECONDS_FROM = 5e8;",
    replace: "const SECONDS_FROM = 6e8;",
    tests: TIMESTAMP_TESTS,
  },
  {
    name: "a timer fires before the record of its time",
    file: IN_ORDER,
    find: "if (timerMs >= recordMs) this.#work(recordMs);",
    replace: "if (timerMs > recordMs) this.#work(recordMs);",
  },
  {
    name: "a record at the watermark waits for the next one",
    file: IN_ORDER,
    find: "const isLast = recordMs > watermark || recordMs === Infinity;",
    replace: "const isLast = recordMs >= watermark || recordMs === Infinity;",
  },
  {
    name: "a record at the watermark is not late",
    file: IN_ORDER,
    find: "if (timestampMs <= this.#watermark ||",
    replace: "if (timestampMs < this.#watermark ||",
  },
  {
    name: "at the end of the input event time stays at the last record",
    file: IN_ORDER,
    find: "(watermark === Infinity || timerMs > watermark)) return this.#come(watermark);",
    replace: "(watermark === Infinity || timerMs > watermark)) return true;",
  },
  {
    name: "after a restore event time is where the last of the key groups was",
    file: IN_ORDER,
    find: "this.#innerMs = Math.min(this.#innerMs, readF64(input));",
    replace: "this.#innerMs = readF64(input);",
  },
];
