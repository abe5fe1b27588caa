// Panes: the pieces of event time that windows are put together from, numbered along the time axis.
//
//   local time   offset + n × size ───▶ pane n starts ───▶ the first instant at which clocks of the zone show that
//
// Without a zone, local time is UTC. With one, a pane follows the clocks: days are 23, 24 or 25 hours long, and a pane
// that lies in the hour skipped in spring is empty.
//
//   P1. Panes cover time without gaps: pane n ends where pane n + 1 starts, and starts never go back.
//   P2. startOf(paneOf(t)) <= t < startOf(paneOf(t) + 1).

import { UtcOffset } from "./utc-offset.ts";

export class PaneClock {
  readonly #sizeMs: number;
  readonly #offsetMs: number;
  readonly #zone: UtcOffset | null;
  /** The pane that was asked for last: records come mostly in order. */
  #pane = 0;
  #startMs = 0;
  #endMs = 0;

  constructor(sizeMs: number, offsetMs: number, zone: string | null) {
    this.#sizeMs = sizeMs;
    this.#offsetMs = offsetMs;
    this.#zone = zone === null || zone === "UTC" ? null : new UtcOffset(zone);
  }

  /** Number of the pane in which an instant lies; infinite for an infinite one. Budget: 2 ns. */
  paneOf(timeMs: number): number {
    if (timeMs >= this.#startMs && timeMs < this.#endMs) return this.#pane;
    return this.#locate(timeMs);
  }

  startOf(pane: number): number {
    const localMs = pane * this.#sizeMs + this.#offsetMs;
    return this.#zone === null ? localMs : this.#zone.firstInstant(localMs);
  }

  #locate(timeMs: number): number {
    if (!Number.isFinite(timeMs)) return timeMs;
    const localMs = this.#zone === null ? timeMs : timeMs + this.#zone.offsetAt(timeMs);
    let pane = Math.floor((localMs - this.#offsetMs) / this.#sizeMs);
    // Clocks that were put back show a time twice: its first pane has ended by the second one.
    while (this.startOf(pane + 1) <= timeMs) pane += 1;
    this.#pane = pane;
    this.#startMs = this.startOf(pane);
    this.#endMs = this.startOf(pane + 1);
    return pane;
  }
}
