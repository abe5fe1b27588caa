// A source of splits whose records come at times of their own, on virtual time.

import type {
  Json,
  PollResult,
  Source,
  SourceOutput,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
} from "../../src/index.ts";

export type Step<T> = { readonly atMs: number; readonly record: T };

/** One split per script: each record comes at its time since the reader got the split, which ends at `endMs`. */
export function scripted<T>(scripts: readonly (readonly Step<T>[])[], options: { endMs: number }): Source<T> {
  const { endMs } = options;
  return {
    kind: "scripted",
    type: null,
    bounded: false,
    invalid: "fail",
    describe: () => ({ splits: scripts.length, endMs }),
    createEnumerator: () => {
      let splits: SourceSplit[] = scripts.map((_, index) => ({ id: `s${index}`, position: index }));
      return {
        start: async () => undefined,
        next: () => splits.shift() ?? null,
        addBack: (back) => void splits.unshift(...back),
        snapshot: () => splits as unknown as Json,
        restore: (state) => {
          splits = [...(state as unknown as SourceSplit[])];
        },
        close: async () => undefined,
      };
    },
    createReader: (context) => new ScriptedReader(context, scripts, endMs),
  };
}

class ScriptedReader<T> implements SourceReader<T> {
  readonly #context: SourceReaderContext;
  readonly #scripts: readonly (readonly Step<T>[])[];
  readonly #endMs: number;
  #split: SourceSplit | null = null;
  #sinceMs = 0;
  #next = 0;
  #noMore = false;

  constructor(context: SourceReaderContext, scripts: readonly (readonly Step<T>[])[], endMs: number) {
    this.#context = context;
    this.#scripts = scripts;
    this.#endMs = endMs;
  }

  addSplit(split: SourceSplit): void {
    this.#split = split;
    this.#sinceMs = this.#context.env.clock.monotonicMs();
    this.#next = 0;
  }

  noMoreSplits(): void {
    this.#noMore = true;
  }

  poll(output: SourceOutput<T>, limit: number): PollResult {
    if (this.#split === null) return this.#noMore ? "end" : "wait";
    const { id, position } = this.#split;
    const { clock, timers } = this.#context.env;
    output.enterSplit(id);
    const elapsedMs = clock.monotonicMs() - this.#sinceMs;
    const script = this.#scripts[position as number]!;
    for (let left = limit; left > 0 && this.#dueMs(script) <= elapsedMs; left -= 1) {
      if (this.#next === script.length) {
        this.#split = null;
        output.leaveSplit(id);
        return "more";
      }
      const { record } = script[this.#next]!;
      this.#next += 1;
      if (!output.offer(record, Number.NaN)) return "more";
    }
    if (this.#dueMs(script) <= elapsedMs) return "more";
    timers.after(this.#dueMs(script) - elapsedMs, () => this.#context.wake());
    return "wait";
  }

  #dueMs(script: readonly Step<T>[]): number {
    return script[this.#next]?.atMs ?? this.#endMs;
  }

  snapshot(): readonly SourceSplit[] {
    return this.#split === null ? [] : [this.#split];
  }

  async close(): Promise<void> {
    this.#split = null;
  }
}
