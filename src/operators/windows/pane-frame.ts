// Windows as runs of panes, and where event time stands among them. Pure arithmetic on pane numbers.
//
//   panes      │ 0 │ 1 │ 2 │ 3 │ 4 │ 5 │ …          size 10 s, slide 4 s: panes of 2 s (their greatest common divisor)
//   windows    └───────── 0 ───────┘                 5 panes each, one starting at every 2nd pane
//                      └───────── 2 ───────┘         a window is called by its first pane
//
//   F1. Windows before `open` have ended: their results were given. Windows before `kept` are forgotten, lateness
//       included.
//   F2. kept <= open; neither goes back.

import { PaneClock } from "./pane-clock.ts";
import type { PaneWindowSpec } from "./window-spec.ts";

export class PaneFrame {
  readonly clock: PaneClock;
  /** Panes of a window. */
  readonly width: number;
  /** Panes from one window's start to the next one's. */
  readonly step: number;
  open = -Infinity;
  kept = -Infinity;
  readonly #latenessMs: number;

  constructor(window: PaneWindowSpec, latenessMs: number) {
    const slideMs = window.kind === "sliding" ? window.slideMs : window.sizeMs;
    const paneMs = greatestDivisor(window.sizeMs, slideMs);
    this.clock = new PaneClock(paneMs, window.offsetMs, window.zone);
    this.width = window.sizeMs / paneMs;
    this.step = slideMs / paneMs;
    this.#latenessMs = latenessMs;
  }

  /** Panes before this one belong to windows that have ended. */
  get settled(): number {
    return this.settledBefore(this.open);
  }

  /** `settled` once windows before `open` have ended. */
  settledBefore(open: number): number {
    return open - this.step + this.width;
  }

  firstWindowOf(pane: number): number {
    return Math.ceil((pane - this.width + 1) / this.step) * this.step;
  }

  lastWindowOf(pane: number): number {
    return Math.floor(pane / this.step) * this.step;
  }

  /** Whether all windows of the pane are forgotten. */
  isLate(pane: number): boolean {
    return this.lastWindowOf(pane) < this.kept;
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
