// Windows as runs of panes. Pure arithmetic on pane numbers.
//
//   panes      │ 0 │ 1 │ 2 │ 3 │ 4 │ 5 │ …          size 10 s, slide 4 s: panes of 2 s (their greatest common divisor)
//   windows    └───────── 0 ───────┘                 5 panes each, one starting at every 2nd pane
//                      └───────── 2 ───────┘         a window is called by its first pane

import { PaneClock } from "./pane-clock.ts";
import type { PaneWindowSpec } from "./window-spec.ts";

export class PaneFrame {
  readonly clock: PaneClock;
  /** Panes of a window. */
  readonly width: number;
  /** Panes from one window's start to the next one's. */
  readonly step: number;
  readonly #latenessMs: number;

  constructor(window: PaneWindowSpec, latenessMs: number) {
    const slideMs = window.kind === "sliding" ? window.slideMs : window.sizeMs;
    const paneMs = greatestDivisor(window.sizeMs, slideMs);
    this.clock = new PaneClock(paneMs, window.offsetMs, window.zone);
    this.width = window.sizeMs / paneMs;
    this.step = slideMs / paneMs;
    this.#latenessMs = latenessMs;
  }

  /** Panes before this one belong to windows that have ended, once those before `open` have. */
  settledBefore(open: number): number {
    return open - this.step + this.width;
  }

  firstWindowOf(pane: number): number {
    return Math.ceil((pane - this.width + 1) / this.step) * this.step;
  }

  lastWindowOf(pane: number): number {
    return Math.floor(pane / this.step) * this.step;
  }

  /** The first window that has not ended when event time has reached `watermark`. */
  openAt(watermark: number): number {
    return this.firstWindowOf(this.clock.paneOf(watermark + 1));
  }

  keptAt(watermark: number): number {
    return this.openAt(watermark - this.#latenessMs);
  }

  startOf(window: number): number {
    return this.clock.startOf(window);
  }

  endOf(window: number): number {
    return this.clock.startOf(window + this.width);
  }
}

function greatestDivisor(left: number, right: number): number {
  let [a, b] = [left, right];
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
