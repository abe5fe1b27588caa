// Explores the orders in which the steps of a few actors can follow one another: all of them with up to so many
// preemptions (an actor that could go on has to let another one run), and drawn ones beyond. An actor may also be made
// to end at any of its steps.
//
//   E1. A schedule is a list of decisions; with the same decisions the same happens, step by step.
//   E2. That nobody can go on is a failure: a wake-up was lost. So is an error in an actor, a run without end, and what
//       `check` finds at the end of a run.

import { AssertionError } from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { Memories } from "./actor.ts";
import * as c from "./control.ts";
import type { ThreadSetup } from "./stepped-thread.ts";

export type Scenario = {
  /** Exports `actors`. */
  readonly module: URL;
  readonly actors: readonly string[];
  readonly memories: Memories;
  readonly stepped: ThreadSetup["stepped"];
  readonly data?: unknown;
  /** Those that may be made to end in the middle. */
  readonly mortal?: readonly string[];
  /** Once somebody has ended in the middle, those that wait for it may wait for ever: others see to them. */
  readonly stuckAllowed?: boolean;
  /** What is wrong with the memories at the end of a run; null: nothing. */
  readonly check?: (run: Run) => string | null;
};

export type Bounds = {
  readonly preemptions: number;
  /** Actors that end in the middle of a run. Default: none. */
  readonly deaths?: 0 | 1;
  /** Times that time passes for one that spins or waits for a limited time, while others could go on. Default: none. */
  readonly late?: number;
  /** Further schedules, drawn with up to that many preemptions. */
  readonly drawn?: { readonly runs: number; readonly seed: number; readonly preemptions: number };
};

export type Run = { readonly steps: number; readonly dead: readonly string[]; readonly timeouts: number };
export type Explored = { readonly schedules: number; readonly steps: number; readonly died: number };

/** At that step that actor runs on, or (`DIES`) the one that runs ends. */
type Decision = readonly [step: number, actor: number];
type Schedule = {
  readonly decisions: readonly Decision[];
  readonly preemptions: number;
  readonly deaths: number;
  readonly late: number;
};

type Choice = readonly [next: number, spent: Partial<Schedule>];

const NO_DECISIONS: Schedule = { decisions: [], preemptions: 0, deaths: 0, late: 0 };

/** Throws with the schedule of the first failure. */
export async function explore(scenario: Scenario, bounds: Bounds): Promise<Explored> {
  await using stage = await Stage.open(scenario);
  const replayed = process.env.INTERLEAVING;
  if (replayed !== undefined) {
    stage.run({ ...NO_DECISIONS, decisions: JSON.parse(replayed) as Decision[] });
    return stage.explored;
  }
  const open = [NO_DECISIONS];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    stage.run(next);
    for (const schedule of stage.further(next, bounds)) open.push(schedule);
  }
  if (bounds.drawn !== undefined) drawn(stage, bounds.drawn, bounds.deaths ?? 0);
  return stage.explored;
}

function drawn(stage: Stage, bounds: NonNullable<Bounds["drawn"]>, deaths: number): void {
  const random = new SeededRandom(bounds.seed);
  const below = (limit: number): number => Math.floor(random.next() * limit);
  for (let run = 0; run < bounds.runs; run += 1) {
    const decisions = Array.from({ length: 1 + below(bounds.preemptions) }, (): Decision => {
      return [below(stage.stepsMost), below(stage.actors)];
    });
    if (deaths > 0 && below(2) === 0) decisions.push([below(stage.stepsMost), c.DIES]);
    decisions.sort(([left], [right]) => left - right);
    stage.run({ ...NO_DECISIONS, decisions });
  }
}

/** The threads of the actors, and what they share. */
class Stage implements AsyncDisposable {
  readonly #scenario: Scenario;
  readonly #control: c.Control;
  readonly #words: Int32Array;
  readonly #threads: readonly Worker[];
  readonly #mortal: readonly number[];
  readonly #initial: readonly { readonly memory: Uint8Array; readonly bytes: Uint8Array }[];
  #explored = { schedules: 0, steps: 0, died: 0 };
  stepsMost = 1;

  private constructor(scenario: Scenario, control: c.Control, threads: readonly Worker[]) {
    this.#scenario = scenario;
    this.#control = control;
    this.#words = new Int32Array(control.words);
    this.#threads = threads;
    this.#mortal = (scenario.mortal ?? []).map((name) => scenario.actors.indexOf(name));
    this.#initial = Object.values(scenario.memories).map((buffer) => {
      const memory = new Uint8Array(buffer);
      return { memory, bytes: memory.slice() };
    });
  }

  static async open(scenario: Scenario): Promise<Stage> {
    const control = c.controlCreate();
    const threads = scenario.actors.map((_, self) => {
      const { module, actors, memories, stepped, data } = scenario;
      const workerData: ThreadSetup = { control, module: module.href, self, actors, memories, stepped, data };
      return new Worker(new URL("./stepped-thread.ts", import.meta.url), { workerData });
    });
    await Promise.all(threads.map((thread) => once(thread, "message")));
    return new Stage(scenario, control, threads);
  }

  get actors(): number {
    return this.#scenario.actors.length;
  }

  get explored(): Explored {
    return this.#explored;
  }

  run(schedule: Schedule): void {
    this.#prepare(schedule);
    const words = this.#words;
    const [first] = schedule.decisions;
    const start = first?.[0] === 0 && first[1] < this.actors ? first[1] : 0;
    words[c.TRACE_AT] = start | (((1 << this.actors) - 1) << 4) | (1 << 12) | (start << 16);
    words[c.STEP] = 1;
    Atomics.store(words, c.actorAt(start) + c.GO, 1);
    Atomics.notify(words, c.actorAt(start) + c.GO);
    Atomics.wait(words, c.DONE, 0);
    const steps = words[c.STEP]!;
    this.#explored.schedules += 1;
    this.#explored.steps += steps;
    if (words[c.DEAD] !== 0) this.#explored.died += 1;
    this.stepsMost = Math.max(this.stepsMost, steps);
    const found = this.#failure(steps);
    if (found !== null) throw new AssertionError({ message: this.#told(found, schedule, steps) });
  }

  /** Schedules that share the decisions of the one that was run last, and differ from it first at a later step. */
  further(last: Schedule, bounds: Bounds): Schedule[] {
    const { decisions } = last;
    const found: Schedule[] = [];
    for (let step = (decisions.at(-1)?.[0] ?? -1) + 1; step < this.#words[c.STEP]!; step += 1) {
      for (const [next, spent] of this.#choices(step, last, bounds))
        found.push({ ...last, ...spent, decisions: [...decisions, [step, next]] });
    }
    return found;
  }

  /** What could have followed a step instead, and what of the bounds is spent then. */
  *#choices(step: number, { preemptions, deaths, late }: Schedule, bounds: Bounds): Generator<Choice> {
    const { actor, isForced, others, waiting } = this.#stepAt(step);
    const cost = { preemptions: preemptions + (isForced ? 0 : 1) };
    if (cost.preemptions <= bounds.preemptions) {
      for (const other of others) yield [other, cost];
      if (late < (bounds.late ?? 0)) for (const one of waiting) yield [one, { ...cost, late: late + 1 }];
    }
    const mayDie = !isForced && deaths < (bounds.deaths ?? 0) && this.#mortal.includes(actor);
    if (mayDie) yield [c.DIES, { deaths: deaths + 1 }];
  }

  /** Whose step it was, and who else could have had the next one: at once, or when time had passed for it. */
  #stepAt(step: number) {
    const word = this.#words[c.TRACE_AT + step * c.TRACE_WORDS]!;
    const next = word >> 16;
    const from = (bit: number): number[] =>
      [...this.#scenario.actors.keys()].filter((other) => ((word >> (bit + other)) & 1) === 1 && other !== next);
    return { actor: word & 15, isForced: ((word >> 12) & 1) === 1, others: from(4), waiting: from(8) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #prepare({ decisions }: Schedule): void {
    const words = this.#words;
    for (const { memory, bytes } of this.#initial) memory.set(bytes);
    words.fill(0, 0, c.DECISIONS_AT);
    words[c.ACTORS] = this.actors;
    words[c.STUCK_ALLOWED] = this.#scenario.stuckAllowed === true ? 1 : 0;
    words[c.DECISIONS] = decisions.length;
    for (const [index, [step, actor]] of decisions.entries()) {
      words[c.DECISIONS_AT + index * 2] = step;
      words[c.DECISIONS_AT + index * 2 + 1] = actor;
    }
  }

  #failure(steps: number): string | null {
    const words = this.#words;
    if (words[c.FAILED] === 1) {
      const bytes = Buffer.from(this.#control.error);
      return bytes.toString("utf8", 0, bytes.indexOf(0));
    }
    if (words[c.FAILED] === 2) return "a wake-up was lost: nobody can go on";
    const dead = this.#scenario.actors.filter((_, actor) => (words[c.DEAD]! & (1 << actor)) !== 0);
    const run: Run = { steps, dead, timeouts: words[c.TIMEOUTS]! };
    return this.#scenario.check?.(run) ?? null;
  }

  #told(found: string, { decisions }: Schedule, steps: number): string {
    const lines: string[] = [];
    for (let step = Math.max(0, steps - LINES_MAX); step < steps; step += 1) lines.push(this.#stepText(step));
    const replay = `INTERLEAVING='${JSON.stringify(decisions)}' runs it alone`;
    return `${found}\nafter ${this.#explored.schedules} schedules; ${replay}:\n${lines.join("\n")}`;
  }

  #stepText(step: number): string {
    const [word = 0, what = 0, value = 0] = this.#words.subarray(c.TRACE_AT + step * c.TRACE_WORDS);
    const { actors, memories } = this.#scenario;
    const operation = c.OPERATIONS[what >>> 27]!;
    const place = `${Object.keys(memories)[(what >> 24) & 7]}[${what & 0xff_ffff}]`;
    const next = word >> 16 === (word & 15) ? "" : ` then ${actors[word >> 16]}`;
    return `  ${step} ${actors[word & 15]}: ${operation === "end" ? "waits or ends" : `${operation} ${place} ${value}`}${next}`;
  }
}

const LINES_MAX = 60;
