// Records that are due by the wall clock, so many a second, over one keyed exchange into state. A source that has
// fallen behind gives what is due as fast as it can, so that who was away has to catch up. The sink says, every few
// milliseconds, how late the latest of the records was that it has seen since it said so last.

import {
  job,
  type PollResult,
  type Sink,
  type Source,
  type SourceOutput,
  type SourceReader,
  type SourceSplit,
  type SplitEnumerator,
  state,
  t,
} from "millrace";

const Stamped = t.struct({ key: t.f64, n: t.f64, dueMs: t.f64 });
type Stamped = { readonly key: number; readonly n: number; readonly dueMs: number };

const KEYS = 10_000;
const TELL_EVERY_MS = 5;
/** Wall clock in fractions of a millisecond, the same in every thread. */
const nowMs = (): number => performance.timeOrigin + performance.now();

class OneSplit implements SplitEnumerator {
  #left: SourceSplit[] = [{ id: "all", position: 0 }];

  async start(): Promise<void> {
    // There is nothing to look for.
  }

  next(): SourceSplit | "wait" {
    return this.#left.shift() ?? "wait";
  }

  addBack(splits: readonly SourceSplit[]): void {
    this.#left.push(...splits);
  }

  snapshot(): readonly SourceSplit[] {
    return this.#left;
  }

  restore(left: unknown): void {
    this.#left = [...(left as SourceSplit[])];
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

class DueReader implements SourceReader<Stamped> {
  readonly #startMs: number;
  readonly #rate: number;
  readonly #timer: NodeJS.Timeout;
  #next: number | null = null;

  constructor(startMs: number, rate: number, wake: () => void) {
    this.#startMs = startMs;
    this.#rate = rate;
    this.#timer = setInterval(wake, 1);
  }

  addSplit({ position }: SourceSplit): void {
    this.#next = Number(position);
  }

  noMoreSplits(): void {
    // It goes on without end.
  }

  poll(output: SourceOutput<Stamped>, limit: number): PollResult {
    if (this.#next === null) return "wait";
    const due = Math.floor(((nowMs() - this.#startMs) / 1_000) * this.#rate);
    const to = Math.min(due, this.#next + limit);
    if (to <= this.#next) return "wait";
    for (let n = this.#next, room = true; n < to && room; n += 1) {
      room = output.offer({ key: n % KEYS, n, dueMs: this.#startMs + (n * 1_000) / this.#rate }, Number.NaN);
      this.#next = n + 1;
    }
    return "more";
  }

  snapshot(): readonly SourceSplit[] {
    return this.#next === null ? [] : [{ id: "all", position: this.#next }];
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
  }
}

function due(startMs: number, rate: number): Source<Stamped> {
  return {
    ...{ kind: "due", type: Stamped.spec, bounded: false, invalid: "fail" },
    describe: () => ({ startMs, rate }),
    createEnumerator: () => new OneSplit(),
    createReader: ({ wake }) => new DueReader(startMs, rate, wake),
  };
}

/** Prints `{ atMs, dueMs, lateMs }`. */
function lateness(): Sink<Stamped> {
  return {
    kind: "lateness",
    guarantee: "at-least-once",
    describe: () => null,
    createWriter: ({ print }) => {
      let [toldMs, lateMs] = [0, 0];
      return {
        open: async () => undefined,
        write: ({ dueMs }) => {
          const atMs = nowMs();
          lateMs = Math.max(lateMs, atMs - dueMs);
          if (atMs - toldMs < TELL_EVERY_MS) return true;
          print(JSON.stringify({ atMs, dueMs, lateMs }));
          [toldMs, lateMs] = [atMs, 0];
          return true;
        },
        flush: async () => undefined,
        prepareCommit: async () => [],
        abort: async () => undefined,
        close: async () => undefined,
      };
    },
  };
}

export default job({ name: "bench-recover", params: t.struct({ startMs: t.f64, rate: t.f64 }) }, (env, params) => {
  env
    .from("due", due(params.startMs, params.rate))
    .parallelism(1)
    .slotGroup("reading")
    .keyBy("key")
    .process({
      uid: "sum",
      out: Stamped,
      state: { sum: state.value(t.f64, { init: () => 0 }) },
      onRecord(record, ctx) {
        ctx.state.sum.set(ctx.state.sum.get() + record.n);
        ctx.emit(record);
      },
    })
    .parallelism(1)
    .slotGroup("counting")
    .to("lateness", lateness());
});
