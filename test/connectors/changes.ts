// A source of changes, and a sink that keeps what it gets with its kind, for tests of what stands between.

import type { Changelog, SinkTakes } from "../../src/operators/changelog.ts";
import type { Sink } from "../../src/operators/sink.ts";
import type { Source, SourceOutput } from "../../src/operators/source.ts";
import type { RowKind } from "../../src/types/bytes/row-kind.ts";
import type { Type } from "../../src/types/t.ts";

export type Change<T> = { readonly kind: RowKind; readonly row: T };

/** Gives the changes in order, in one split. */
export function changes<T>(given: readonly Change<T>[], changelog: Changelog, type?: Type<T>): Source<T> {
  return {
    kind: "changes",
    type: type?.spec ?? null,
    bounded: true,
    streams: "one",
    invalid: "fail",
    changelog,
    describe: () => ({ count: given.length }),
    createEnumerator: () => {
      let left = true;
      return {
        start: async () => undefined,
        next: () => {
          if (!left) return null;
          left = false;
          return { id: "all", position: 0 };
        },
        addBack: () => undefined,
        snapshot: () => null,
        restore: () => undefined,
        close: async () => undefined,
      };
    },
    createReader: () => new ChangesReader(given),
  };
}

class ChangesReader<T> {
  readonly #given: readonly Change<T>[];
  #at = -1;
  #noMore = false;

  constructor(given: readonly Change<T>[]) {
    this.#given = given;
  }

  addSplit(): void {
    this.#at = 0;
  }

  noMoreSplits(): void {
    this.#noMore = true;
  }

  poll(output: SourceOutput<T>, limit: number): "more" | "wait" | "end" {
    if (this.#at < 0) return this.#noMore ? "end" : "wait";
    if (this.#at === 0) output.enterSplit("all");
    for (let left = limit; left > 0 && this.#at < this.#given.length; left -= 1) {
      const { row, kind } = this.#given[this.#at]!;
      this.#at += 1;
      const goOn = kind === 0 ? output.offer(row, Number.NaN) : output.offer(row, Number.NaN, kind);
      if (!goOn) return "more";
    }
    if (this.#at < this.#given.length) return "more";
    output.leaveSplit("all");
    this.#at = -1;
    return "more";
  }

  snapshot(): readonly { id: string; position: number }[] {
    return this.#at < 0 ? [] : [{ id: "all", position: this.#at }];
  }

  async close(): Promise<void> {}
}

/** A sink that keeps what its subtasks get, in the order in which they get it. */
export class ChangesKept<T> {
  readonly got: Change<T>[] = [];
  /** Key that each writer was told. */
  readonly keys: (readonly string[] | null | undefined)[] = [];

  sink(takes?: SinkTakes): Sink<T> {
    return {
      kind: "kept",
      guarantee: "at-least-once",
      ...(takes !== undefined && { takes }),
      describe: () => ({}),
      createWriter: ({ key }) => {
        this.keys.push(key);
        return {
          open: async () => undefined,
          write: (row, _timestampMs, kind = 0) => {
            this.got.push({ kind, row });
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
}
