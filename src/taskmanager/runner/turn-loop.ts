// The turns of a slot in a thread of its own: one after the other while there is work, then sleep until somebody rings
// or a time has come.
//
//   U1. It says that it sleeps, then looks for work once more, and only then waits (D1 of doorbell.ts): who gave it
//       work before it said so did not ring.

import type { SharedDoorbell } from "../../network/doorbell.ts";
import type { SlotTurn } from "../slot/slot.ts";

export type TurnLoopOptions = {
  /** The one that others ring. */
  readonly bell: SharedDoorbell;
  readonly turn: () => SlotTurn;
  /** No turn follows. */
  readonly isOver: () => boolean;
  readonly onOver: () => void;
  /** Calls back once whatever else waits in the thread has had its turn. */
  readonly soon: (run: () => void) => void;
};

export class TurnLoop {
  readonly #options: TurnLoopOptions;
  readonly #next = (): void => this.run();

  constructor(options: TurnLoopOptions) {
    this.#options = options;
  }

  /** Returns at once; the turns go on by themselves. */
  run(): void {
    const { isOver, onOver, turn, soon } = this.#options;
    if (isOver()) onOver();
    else if (turn().busy || !this.#fellAsleep()) soon(this.#next);
  }

  #fellAsleep(): boolean {
    const { bell, turn, isOver } = this.#options;
    const counter = bell.fallAsleep();
    const { busy, sleepMs } = turn();
    const rung = busy || isOver() ? null : bell.wait(counter, sleepMs);
    if (rung === null) bell.wakeUp();
    else void rung.then(() => this.#awake());
    return rung !== null;
  }

  #awake(): void {
    this.#options.bell.wakeUp();
    this.run();
  }
}
