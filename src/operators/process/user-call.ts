// The call of a user's function that is under way, and what user code reaches of timers during it; of keyed state:
// user-state.ts.
//
// Handles act on the key at hand: used by a promise or timer that outlives its call, they would act on another's key,
// and what is emitted then is lost once the input has ended. So all of them look whether a call is under way.

import { UserError } from "../../base/errors.ts";
import type { TimerService } from "../../state/contract/keyed-state.ts";

/** Plain fields: they are set once per record. */
export class UserCall {
  readonly #uid: string;
  underWay = false;
  key: unknown = undefined;
  /** Event time of the record or timer at hand, NaN without one. */
  timestamp = NaN;
  /** Time of the timer that fires. */
  firing = NaN;
  /** So many timers have fired at this time that it can only be the same ones again and again. */
  endless = false;

  constructor(uid: string) {
    this.#uid = uid;
  }

  /** Thrown where the timer is set, so that it names the line. */
  again(timer: string): never {
    throw new UserError(
      "TIMER_ENDLESS",
      `onTimer of "${this.#uid}" sets the timer ${JSON.stringify(timer)} for a time that has come, again and again`,
      {
        fix: "set it for a later time than that of the timer at hand: timer.at + 60_000; in processing time than ctx.now",
        operator: this.#uid,
      },
    );
  }

  /** `what`: "ctx.emit". */
  late(what: string): never {
    throw new UserError("CONTEXT_USED_LATE", `${what} of "${this.#uid}" was used when no call was under way`, {
      fix: "use it before the function returns, not in a promise or setTimeout; for later, set a timer with ctx.timers",
      operator: this.#uid,
    });
  }
}

/** The methods work without their object. `name`: "ctx.timers". */
export function timersDuring(call: UserCall, name: string, timers: TimerService): TimerService {
  return {
    set: (timer, atMs) => {
      if (!call.underWay) call.late(name);
      if (call.endless && atMs <= call.firing) call.again(timer);
      timers.set(timer, atMs);
    },
    clear: (timer) => {
      if (!call.underWay) call.late(name);
      timers.clear(timer);
    },
    get: (timer) => {
      if (!call.underWay) call.late(name);
      return timers.get(timer);
    },
  };
}
