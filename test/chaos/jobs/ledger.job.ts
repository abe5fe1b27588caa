// A ledger: each record is an entry of an account, and each entry is written once, with its number and the balance
// after it. What is lost, doubled or restored wrongly shows in the output alone (../ledger-check.ts).

import { generate, job, jsonl, state, t } from "millrace";
import { entryOf } from "../ledger-entries.ts";
import { faultOnDemand } from "./fault-on-demand.ts";

const Entry = t.struct({ id: t.f64, account: t.string, amount: t.f64 });
const Booked = t.struct({ account: t.string, seq: t.f64, id: t.f64, balance: t.f64 });

const params = t.struct({
  out: t.string,
  /** 0: without end. */
  rows: t.f64,
  /** Per second; 0: as fast as it goes. */
  rate: t.f64,
  /** This record throws, each time; -1: none does. */
  poison: t.f64.optional(),
  /** See fault-on-demand.ts. */
  faults: t.string.optional(),
  /** Of the operator with state. */
  uid: t.string.optional(),
});

export default job({ name: "ledger", params }, (env, { out, rows, rate, poison = -1, faults = "", uid = "ledger" }) => {
  const fault = faultOnDemand(faults);
  env
    .from(
      "entries",
      generate(rows === 0 ? Number.POSITIVE_INFINITY : rows, entryOf, { type: Entry, ...(rate > 0 && { rate }) }),
    )
    .map(Entry, (entry) => {
      fault();
      if (entry.id === poison) throw new RangeError("this entry is poison");
      return entry;
    })
    .uid("check")
    .keyBy("account")
    .process({
      uid,
      state: { seq: state.value(t.f64, { init: () => 0 }), balance: state.value(t.f64, { init: () => 0 }) },
      out: Booked,
      onRecord({ id, account, amount }, { state: own, emit }) {
        const seq = own.seq.get() + 1;
        const balance = own.balance.get() + amount;
        own.seq.set(seq);
        own.balance.set(balance);
        emit({ account, seq, id, balance });
      },
    })
    // Across some checkpoints, and shown soon enough to be looked at.
    .to("booked", jsonl(out, { roll: { every: "500ms" } }));
});
