// Cleans a file of orders and sums it up: rows that do not fit or lack something are set aside with the reason, texts
// are tidied, orders that are there twice count once. In batch mode a country has one row, at the end.

import { count, csv, job, jsonl, mean, print, state, sum, t } from "millrace";

const Order = t.struct({ id: t.string, country: t.string, amount: t.f64, orderedAt: t.timestamp });

const Params = t.struct({ in: t.string.optional(), out: t.string.optional() });

export default job({ name: "csv-clean", mode: "batch", params: Params }, (env, params) => {
  const { in: input = "data/orders.csv", out = "out" } = params;
  // Cells that are no number or no time, and rows that are too short, go to side.invalid, with their line.
  const orders = env.from("orders", csv(input, { type: Order, invalid: "side", trim: true }));
  orders.side.invalid.to("rejected", jsonl(`${out}/rejected`));

  // An empty cell is a text like others: whether a text may be empty is for the job to say.
  const tidy = orders
    .map(Order, (order) => {
      if (order.id === "" || order.country === "") throw new Error("an order has an id and a country");
      return { ...order, country: order.country.toUpperCase() };
    })
    .onError("side");
  tidy.side.errors.to("incomplete", jsonl(`${out}/incomplete`));

  const clean = tidy.keyBy("id").process({
    uid: "once",
    out: Order,
    state: { seen: state.value(t.bool) },
    onRecord(order, ctx) {
      if (ctx.state.seen.get() === true) return;
      ctx.state.seen.set(true);
      ctx.emit(order);
    },
  });
  clean.to("clean", jsonl(`${out}/clean`));

  clean
    .keyBy("country")
    .aggregate({ orders: count(), total: sum("amount"), mean: mean("amount") })
    .to("countries", print());
});
