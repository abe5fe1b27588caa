// Tumbling and sliding windows done the slow way: every window of every key with its records.

import fc from "fast-check";
import { type PaneWindowSpec, sliding, tumbling } from "../../src/operators/windows/time/window-spec.ts";
import { ROW_KIND } from "../../src/types/bytes/row-kind.ts";
import { modelResult, type Result, type Row, type Wanted, type WindowModel } from "./window-streams.ts";

/** Local time, in which windows have equal sizes. */
type LocalTime = {
  readonly zone: string | null;
  localOf(ms: number): number;
  instantOf(localMs: number): number;
};

export type PaneSizes = {
  readonly sizeMs: number;
  readonly slideMs: number;
  readonly offsetMs: number;
  readonly zone?: LocalTime;
};
type ModelOptions = { readonly latenessMs: number; readonly wanted: Wanted };
type Window = { readonly key: string; readonly start: number; readonly end: number; readonly rows: Row[] };

const UTC: LocalTime = { zone: null, localOf: (ms) => ms, instantOf: (localMs) => localMs };

export class PaneModel implements WindowModel {
  readonly late: Row[] = [];
  readonly #sizes: PaneSizes;
  readonly #options: ModelOptions;
  readonly #windows = new Map<string, Window>();
  #watermark = -Infinity;

  constructor(sizes: PaneSizes, options: ModelOptions) {
    this.#sizes = sizes;
    this.#options = options;
  }

  add(row: Row): Result[] {
    const { sizeMs, slideMs, offsetMs, zone = UTC } = this.#sizes;
    const updates: Result[] = [];
    let taken = false;
    const local = zone.localOf(row.ts);
    const lastStart = Math.floor((local - offsetMs) / slideMs) * slideMs + offsetMs;
    for (let localStart = lastStart; localStart > local - sizeMs; localStart -= slideMs) {
      const start = zone.instantOf(localStart);
      const end = zone.instantOf(localStart + sizeMs);
      if (end - 1 + this.#options.latenessMs <= this.#watermark) continue;
      taken = true;
      const id = `${localStart} ${row.key}`;
      const window = this.#windows.get(id) ?? { key: row.key, start, end, rows: [] };
      this.#windows.set(id, window);
      window.rows.push(row);
      const kind = window.rows.length === 1 ? ROW_KIND.insert : ROW_KIND.updateAfter;
      if (end - 1 <= this.#watermark) updates.unshift(modelResult(this.#options.wanted, window, window.rows, kind));
    }
    if (!taken) this.late.push(row);
    return updates;
  }

  watermark(watermark: number): Result[] {
    const due = [...this.#windows.values()].filter(({ end }) => end - 1 > this.#watermark && end - 1 <= watermark);
    this.#watermark = watermark;
    return due.map((window) => modelResult(this.#options.wanted, window, window.rows));
  }

  table(): Result[] {
    return [...this.#windows.values()].map((window) => modelResult(this.#options.wanted, window, window.rows));
  }
}

export function windowOf({ sizeMs, slideMs, offsetMs, zone }: PaneSizes): PaneWindowSpec {
  const options = { offset: `${offsetMs}ms`, ...(zone?.zone && { zone: zone.zone }) } as const;
  return sizeMs === slideMs ? tumbling(`${sizeMs}ms`, options) : sliding(`${sizeMs}ms`, `${slideMs}ms`, options);
}

export const paneSizes: fc.Arbitrary<PaneSizes> = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.nat(12))
    .map(([size, offset]) => ({ sizeMs: size, slideMs: size, offsetMs: offset % size })),
  fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }), fc.nat(12))
    .map(([width, step, unit, offset]) => ({
      sizeMs: Math.max(width, step) * unit,
      slideMs: Math.min(width, step) * unit,
      offsetMs: offset % (Math.min(width, step) * unit),
    })),
);
