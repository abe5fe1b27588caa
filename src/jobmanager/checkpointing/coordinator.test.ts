import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { CheckpointId } from "../../base/ids.ts";
import {
  type CheckpointDecision,
  type CheckpointedTasks,
  type CheckpointFact,
  type CheckpointingOptions,
  type CheckpointingState,
  checkpointingNext,
  checkpointingStateOf,
  nextCheckpointTimeMs,
} from "./coordinator.ts";

// Traces: what is told, and below it what is decided, as text. UPDATE_TRACES=1 writes the answers anew.

const TRACES = new URL("./traces/", import.meta.url);

const OPTIONS: CheckpointingOptions = {
  intervalMs: 10_000,
  minPauseMs: 0,
  timeoutMs: 600_000,
  maxConcurrent: 1,
  tolerableFailures: 0,
  retained: 1,
};

/** A source with two readers, and a task that they send to. */
const TASKS: CheckpointedTasks = {
  tasks: ["0/0/0", "0/1/0", "1/0/0"],
  readers: ["0/0/0", "0/1/0"],
  coordinators: [0],
};

function told(state: CheckpointingState, line: string): { state: CheckpointingState; decisions: CheckpointDecision[] } {
  const [kind, ...words] = line.split(" ");
  const options = Object.fromEntries(words.map((word) => word.split("=") as [string, string]));
  const nowMs = Number(options.at);
  const id = Number(options.id) as CheckpointId;
  const reason = options.reason ?? "";
  const steps = (facts: readonly CheckpointFact[]) => stepped(state, facts);
  switch (kind) {
    case "options": {
      const given = Object.entries(options).map(([name, value]) => [name, value === "none" ? null : Number(value)]);
      const { completed, greatest, ...rest } = Object.fromEntries(given) as Record<string, number | null>;
      const known = completed === undefined ? [] : [completed as CheckpointId];
      return {
        state: checkpointingStateOf({ ...OPTIONS, ...rest }, { completed: known, greatest: greatest ?? 0 }),
        decisions: [],
      };
    }
    case "running":
      return steps([{ kind: "running", nowMs, tasks: TASKS }]);
    case "stopped":
      return steps([{ kind: "stopped" }]);
    case "time":
      return steps([{ kind: "time", nowMs }]);
    case "savepoint":
    case "final":
      return steps([{ kind: "asked", what: kind, nowMs }]);
    case "coordinated":
      return steps([{ kind: "coordinated", id, vertex: 0 }]);
    case "read":
      return steps([{ kind: "taken", id, task: options.task as never }]);
    case "finished":
      return steps([{ kind: "finished", task: options.task as never }]);
    case "acknowledged":
      return steps([{ kind: "acknowledged", id, task: options.task as never }]);
    case "taken": // All that tasks have to say of a checkpoint.
      return steps([
        { kind: "coordinated", id, vertex: 0 },
        ...TASKS.tasks.map((task) => ({ kind: "taken", id, task }) as const),
        ...TASKS.tasks.map((task) => ({ kind: "acknowledged", id, task }) as const),
      ]);
    case "declined":
      return steps([{ kind, id, nowMs, reason }]);
    case "stored":
      return steps([{ kind, id, nowMs }]);
    case "not-stored":
      return steps([{ kind: "notStored", id, nowMs, reason }]);
    default:
      throw new Error(`what is "${line}"?`);
  }
}

function stepped(state: CheckpointingState, facts: readonly CheckpointFact[]) {
  const decisions: CheckpointDecision[] = [];
  let at = state;
  for (const fact of facts) {
    const step = checkpointingNext(at, fact);
    at = step.state;
    decisions.push(...step.decisions);
  }
  return { state: at, decisions };
}

const shown = (decision: CheckpointDecision): string => Object.values(decision).join(" ");

function replayed(text: string): string {
  let state = checkpointingStateOf(OPTIONS);
  const blocks = text.trimEnd().split("\n\n");
  return `${blocks
    .map((block) => {
      const lines = block.split("\n");
      const asked = lines.slice(0, lines.includes("----") ? lines.indexOf("----") : lines.length);
      const answers: string[] = [];
      for (const line of asked.filter((each) => !each.startsWith("#"))) {
        const step = told(state, line);
        state = step.state;
        answers.push(...step.decisions.map(shown));
      }
      const next = nextCheckpointTimeMs(state);
      answers.push(`(next ${next === Infinity ? "never" : next}; kept ${state.completed.join(" ") || "none"})`);
      return [...asked, "----", ...answers].join("\n");
    })
    .join("\n\n")}\n`;
}

describe("the checkpoint coordinator", () => {
  for (const name of readdirSync(TRACES)) {
    test(`trace: ${name.replace(".txt", "")}`, () => {
      const file = new URL(name, TRACES);
      const expected = readFileSync(file, "utf8");
      const actual = replayed(expected);
      if (process.env.UPDATE_TRACES === "1") writeFileSync(file, actual);
      else assert.equal(actual, expected);
    });
  }

  test("at the time that it has asked for, something is decided, whatever is lost by rounding", () => {
    for (let index = 0; index < 200; index += 1) {
      let { state } = stepped(checkpointingStateOf({ ...OPTIONS, timeoutMs: 15.7 + index / 7, intervalMs: 33.3 }), [
        { kind: "running", nowMs: index / 3, tasks: TASKS },
      ]);
      for (let due = nextCheckpointTimeMs(state), round = 0; round < 9; due = nextCheckpointTimeMs(state), round += 1) {
        const step = stepped(state, [{ kind: "time", nowMs: due }]);
        assert.notDeepEqual(step.decisions, [], `at ${due}`);
        state = step.state;
      }
    }
  });

  test("whatever happens in whatever order: C1 to C7", () => {
    const id = fc.integer({ min: 1, max: 6 }).map((each) => each as CheckpointId);
    const task = fc.constantFrom(...TASKS.tasks);
    const fact = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("time" as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant("asked" as const),
          what: fc.constantFrom("savepoint" as const, "final" as const),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("stopped" as const, "running" as const) }) },
      { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("coordinated" as const, "taken" as const), id }) },
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constantFrom("read" as const, "acknowledged" as const), id, task }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("finished" as const), task }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("declined" as const), id }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("stored" as const, "notStored" as const), id }) },
    );
    const options = fc.record({
      intervalMs: fc.constantFrom(null, 1, 10),
      minPauseMs: fc.constantFrom(0, 5),
      timeoutMs: fc.constantFrom(10, 1_000),
      maxConcurrent: fc.constantFrom(1, 2, 3),
      tolerableFailures: fc.constantFrom(0, 1, 1_000),
      retained: fc.constantFrom(1, 2),
    });
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), fact), { maxLength: 80 });
    const property = fc.property(options, steps, (given, told) => {
      const driven = new Driven(given);
      for (const [elapsedMs, each] of told) driven.do(elapsedMs, each);
    });
    fc.assert(property);
  });
});

type Told = { readonly kind: string; readonly id?: CheckpointId; readonly task?: string; readonly what?: string };

class Sets extends Map<CheckpointId, Set<string>> {
  add(id: CheckpointId, task: string): void {
    this.set(id, this.of(id).add(task));
  }

  of(id: CheckpointId): Set<string> {
    return this.get(id) ?? new Set();
  }
}

/** Does what is decided as a driver would, and holds what it sees against C1 to C8. */
class Driven {
  readonly #options: CheckpointingOptions;
  #state: CheckpointingState;
  #nowMs = 0;
  #held = false;
  readonly #asked: CheckpointId[] = [];
  readonly #coordinated = new Set<CheckpointId>();
  readonly #triggered = new Set<CheckpointId>();
  readonly #storing = new Set<CheckpointId>();
  readonly #ended = new Set<CheckpointId>();
  readonly #finished = new Set<string>();
  readonly #read = new Sets();
  /** The last checkpoint that each task of this attempt has taken. */
  readonly #last = new Map<string, CheckpointId>();
  readonly #acknowledged = new Sets();

  constructor(options: CheckpointingOptions) {
    this.#options = options;
    this.#state = checkpointingStateOf(options);
  }

  do(elapsedMs: number, told: Told): void {
    this.#nowMs += elapsedMs;
    const nowMs = this.#nowMs;
    const { id } = told;
    if (told.kind === "time") this.#tell({ kind: "time", nowMs });
    else if (told.kind === "asked") this.#tell({ kind: "asked", nowMs, what: told.what as "savepoint" });
    else if (told.kind === "stopped") this.#tell({ kind: "stopped" });
    else if (told.kind === "running") this.#start();
    else if (told.kind === "finished") this.#finish(told.task!);
    else if (id !== undefined && this.#asked.includes(id)) this.#doOf(id, told);
  }

  #start(): void {
    if (this.#state.running !== null || this.#state.pending.length > 0) return;
    this.#held = false; // Other tasks, other coordinators.
    this.#finished.clear();
    this.#last.clear();
    this.#tell({ kind: "running", nowMs: this.#nowMs, tasks: TASKS });
  }

  #finish(task: string): void {
    if (this.#state.running === null) return;
    this.#finished.add(task);
    this.#tell({ kind: "finished", task });
  }

  #doOf(id: CheckpointId, { kind, task }: Told): void {
    const nowMs = this.#nowMs;
    if (kind === "coordinated") {
      this.#coordinated.add(id);
      this.#tell({ kind, id, vertex: 0 });
    } else if (kind === "declined") {
      this.#tell({ kind, id, nowMs, reason: "" });
    } else if (kind === "stored" || kind === "notStored") {
      if (this.#storing.has(id) && !this.#ended.has(id)) this.#tell({ kind, id, nowMs, reason: "" });
    } else if (this.#triggered.has(id)) {
      this.#doInTask(id, kind, task);
    }
  }

  #doInTask(id: CheckpointId, kind: string, task: string | undefined): void {
    const tasks = task === undefined ? TASKS.tasks : TASKS.tasks.filter((each) => each === task);
    if (kind !== "acknowledged") {
      const taking = tasks.filter((each) => !this.#finished.has(each) && id > (this.#last.get(each) ?? 0));
      for (const each of taking) this.#read.add(id, each);
      for (const each of taking) this.#last.set(each, id);
      for (const each of taking) this.#tell({ kind: "taken", id, task: each });
    }
    if (kind === "read") return;
    for (const each of tasks) {
      if (!this.#read.of(id).has(each)) continue;
      this.#acknowledged.add(id, each);
      this.#tell({ kind: "acknowledged", id, task: each });
    }
  }

  #tell(fact: CheckpointFact): void {
    const before = this.#state;
    const { state, decisions } = checkpointingNext(before, fact);
    this.#state = state;
    for (const decision of decisions) this.#on(decision);
    const isAborted = (id: CheckpointId): boolean =>
      decisions.some((decision) => decision.kind === "abort" && decision.id === id);
    for (const { id, phase } of before.pending) {
      if (phase === "storing" && isAborted(id)) assert.equal(fact.kind, "notStored", "C7");
    }
    const { pending, completed, running } = state;
    assert.ok(completed.length <= this.#options.retained);
    assert.ok(pending.filter(({ kind }) => kind === "periodic").length <= this.#options.maxConcurrent);
    const isTaking = pending.some(({ phase }) => phase !== "storing");
    assert.ok(!this.#held || running === null || isTaking, "coordinators are held for ever");
  }

  #on(decision: CheckpointDecision): void {
    if (decision.kind === "coordinate") this.#onCoordinate(decision.id, decision.what);
    else if (decision.kind === "goOn") this.#onGoOn();
    else if (decision.kind !== "fail") this.#onOther(decision.kind, decision.id);
  }

  #onCoordinate(id: CheckpointId, what: string): void {
    assert.ok(what !== "periodic" || !this.#held, "C8");
    assert.ok(id > (this.#asked.at(-1) ?? 0), "C1");
    this.#asked.push(id);
    this.#held = true;
  }

  #onGoOn(): void {
    this.#held = false;
    for (const { id, phase } of this.#state.pending) {
      const isRead = TASKS.readers.every((reader) => this.#finished.has(reader) || this.#read.of(id).has(reader));
      assert.ok(phase === "storing" || isRead, `C2: ${id} is still being read`);
    }
  }

  #onOther(kind: "trigger" | "store" | "complete" | "abort" | "discard", id: CheckpointId): void {
    if (kind === "trigger") {
      assert.ok(this.#coordinated.has(id) && this.#held && !this.#triggered.has(id), "C2");
      this.#triggered.add(id);
    } else if (kind === "store") {
      const isOver = (task: string): boolean => this.#finished.has(task) && id > (this.#last.get(task) ?? 0);
      assert.ok(
        TASKS.tasks.every((task) => isOver(task) || this.#acknowledged.of(id).has(task)),
        "C3, C6",
      );
      this.#storing.add(id);
    } else if (kind === "discard") {
      assert.ok(!this.#state.completed.includes(id) && this.#ended.has(id), "C5");
    } else {
      assert.ok(!this.#ended.has(id), "C3, C5");
      if (kind === "complete") assert.ok(this.#storing.has(id), "C3");
      this.#ended.add(id);
    }
  }
}
