// One job that is stopped and goes on at another parallelism, from each of 1 to 8 to each of 1 to 8, in one life: what
// it keeps is divided anew each time, and its rows are those of a run that nobody has stopped.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import {
  count,
  type Env,
  generate,
  type Infer,
  job,
  jsonl,
  max,
  type PollResult,
  type Source,
  type SourceOutput,
  type SourceReader,
  type SourceSplit,
  type Stream,
  session,
  sliding,
  state,
  sum,
  t,
  tumbling,
} from "../../src/index.ts";
import { SimFaults } from "../../src/testing/sim-faults.ts";
import { simulateStarts } from "../../src/testing/simulate-starts.ts";
import { rowsOf } from "./outcome.ts";

const PARALLELISMS = 8;
/** Of each process but the last. */
const LIFE_MS = 200;
const ROWS = 900;
const RATE = 60;

const Row = t.struct({ n: t.i32, key: t.string, ts: t.timestamp });
type Row = Infer<typeof Row>;
const rowOf = (n: number): Row => ({ n, key: `k${(n * 7) % 23}`, ts: n * 100 });

/** A sequence in which each two parallelisms follow one another: each pair once, and each with itself. */
function allPairs(): number[] {
  const sequence: number[] = [];
  for (let first = 1; first <= PARALLELISMS; first += 1) {
    sequence.push(first);
    for (let second = first + 1; second <= PARALLELISMS; second += 1) sequence.push(first, second);
  }
  return [...sequence, sequence[0]!];
}

const SPLITS = 400;
const PER_SPLIT = 6;
const STEP_MS = 40;

/** Splits that are handed out one after the other: some are left, some begun, at each stop. */
function dealt(): Source<{ n: number }> {
  return {
    ...{ kind: "dealt", type: t.struct({ n: t.i32 }).spec, bounded: true, invalid: "fail" },
    describe: () => ({ splits: SPLITS }),
    createEnumerator: () => {
      let left: SourceSplit[] = Array.from({ length: SPLITS }, (_, split) => ({ id: `s${split}`, position: 0 }));
      return {
        start: async () => undefined,
        next: () => left.shift() ?? null,
        addBack: (back) => void left.unshift(...back),
        snapshot: () => left as never,
        restore: (before) => {
          left = [...(before as unknown as SourceSplit[])];
        },
        close: async () => undefined,
      };
    },
    createReader: ({ env, wake }) => new DealtReader(env, wake),
  };
}

/** A record each few milliseconds. */
class DealtReader implements SourceReader<{ n: number }> {
  readonly #env: Env;
  readonly #wake: () => void;
  #own: { split: number; next: number }[] = [];
  #dueMs = 0;
  #noMore = false;

  constructor(env: Env, wake: () => void) {
    this.#env = env;
    this.#wake = wake;
  }

  addSplit({ id, position }: SourceSplit): void {
    this.#own.push({ split: Number(id.slice(1)), next: position as number });
  }

  noMoreSplits(): void {
    this.#noMore = true;
  }

  poll(output: SourceOutput<{ n: number }>): PollResult {
    const [first] = this.#own;
    if (first === undefined) return this.#noMore ? "end" : "wait";
    const nowMs = this.#env.clock.monotonicMs();
    if (nowMs < this.#dueMs) {
      this.#env.timers.after(this.#dueMs - nowMs, this.#wake);
      return "wait";
    }
    this.#dueMs = nowMs + STEP_MS;
    const id = `s${first.split}`;
    output.enterSplit(id);
    output.offer({ n: first.split * PER_SPLIT + first.next }, Number.NaN);
    first.next += 1;
    if (first.next === PER_SPLIT) {
      this.#own.shift();
      output.leaveSplit(id);
    }
    return "more";
  }

  snapshot(): readonly SourceSplit[] {
    return this.#own.map(({ split, next }) => ({ id: `s${split}`, position: next }));
  }

  async close(): Promise<void> {
    this.#own = [];
  }
}

const rescaled = job({ name: "rescaled" }, (env) => {
  const rows = env.from("rows", generate(ROWS, rowOf, { type: Row, rate: RATE }));
  const Told = t.struct({ by: t.string, n: t.i32 });
  const told = (by: string, stream: Stream<{ n: number }> | Stream<Row>) =>
    (stream as Stream<{ n: number }>).map(Told, ({ n }) => ({ by, n })).uid(by);
  told("dealt-again", env.from("dealt", dealt()).rebalance())
    .union(
      told("rebalanced", rows.rebalance()),
      told("rescaled", rows.rescale()),
      told("global", rows.global()),
      told(
        "partitioned",
        rows.partitionBy(({ n }, subtasks) => n % subtasks),
      ),
    )
    .to("told", jsonl("/out/told"));
  // As often as there are subtasks, whose number changes: once is enough.
  rows
    .broadcast()
    .map(Row, (row) => row)
    .uid("everywhere")
    .keyBy("n")
    .process({
      uid: "first",
      state: { seen: state.value(t.bool) },
      out: t.struct({ n: t.i32 }),
      onRecord({ n }, { state: { seen }, emit }) {
        if (seen.get() === null) emit({ n });
        seen.set(true);
      },
    })
    .to("broadcast", jsonl("/out/broadcast"));
  const timed = rows.eventTime({ at: "ts" });
  timed
    .keyBy("key")
    .process({
      uid: "kept",
      state: {
        sum: state.value(t.f64, { init: () => 0 }),
        all: state.list(t.i32),
        parity: state.map(t.bool, t.f64),
        best: state.reducing(t.i32, (left, right) => Math.max(left, right)),
      },
      out: t.struct({ key: t.string, what: t.string, n: t.f64 }),
      onRecord({ n, ts }, { state: own, timers }) {
        own.sum.set(own.sum.get() + n);
        own.all.add(n);
        own.parity.set(n % 2 === 0, (own.parity.get(n % 2 === 0) ?? 0) + 1);
        own.best.add(n);
        timers.set(`of ${n}`, ts + 5_000);
        timers.set("end", 1e12);
      },
      onTimer({ name, key }, { state: own, emit }) {
        if (name !== "end") {
          emit({ key, what: name, n: 1 });
          return;
        }
        const values = { sum: own.sum.get(), all: own.all.get().length, odd: own.parity.get(false) ?? 0 };
        for (const [what, n] of Object.entries({ ...values, best: own.best.get() ?? 0 })) emit({ key, what, n });
      },
    })
    .to("kept-rows", jsonl("/out/kept"));
  const sums = { n: count(), sum: sum("n"), last: max("n") };
  const windows = { tumbling: tumbling("10s"), sliding: sliding("20s", "10s"), session: session("1s") } as const;
  for (const [name, window] of Object.entries(windows)) {
    timed
      .keyBy("key")
      .window(window)
      .aggregate(sums)
      .uid(name)
      .to(`${name}-rows`, jsonl(`/out/${name}`));
  }
  timed
    .keyBy("key")
    .inOrder()
    .process({
      uid: "ordered",
      state: { before: state.value(t.i32, { init: () => -1 }) },
      out: t.struct({ key: t.string, before: t.i32, n: t.i32 }),
      onRecord({ n, key }, { state: { before }, emit }) {
        emit({ key, before: before.get(), n });
        before.set(n);
      },
    })
    .to("ordered-rows", jsonl("/out/ordered"));
});

async function run(parallelisms: readonly number[]) {
  const { disk, log, starts } = await simulateStarts(rescaled, {
    seed: 11,
    faults: new SimFaults([], new SeededRandom(1)),
    stopsMs: parallelisms.slice(1).map(() => LIFE_MS),
    parallelism: (start) => parallelisms[start] ?? 1,
    config: () => ({ "execution.checkpointing.interval": "1h", "pipeline.max-parallelism": 8 }),
  });
  return { rows: rowsOf(disk), log, starts };
}

test("a job that goes on at every other parallelism, from each of 1 to 8 to each, has the rows of an undisturbed one", async () => {
  const parallelisms = allPairs();
  const pairs = new Set(parallelisms.slice(1).map((to, index) => `${parallelisms[index]} → ${to}`));
  assert.equal(pairs.size, PARALLELISMS ** 2);
  const { rows } = await run([2]);
  const rescaling = await run(parallelisms);
  assert.equal(rescaling.starts, parallelisms.length);
  assert.equal(rescaling.log.filter((line) => / goes on from checkpoint \d+, /.test(line)).length, PARALLELISMS ** 2);
  assert.deepEqual(rescaling.rows, rows);
});
