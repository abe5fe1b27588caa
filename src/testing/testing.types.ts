// Type tests of the testing kit: what compiles, and what must not.

import { type Job, state, t } from "../index.ts";
import { harness, testJob } from "./index.ts";

type Tick = { symbol: string; price: number };
declare const job: Job;

export async function verbs(): Promise<void> {
  await using run = await testJob(job, { parallelism: 2, params: { n: 1, on: true }, seed: 3, startTime: new Date(0) });
  run.source<Tick>("ticks").push({ symbol: "A", price: 1 });
  run.source("ticks").push({ anything: true });
  run.source("ticks").watermark(new Date(5));
  const rows: Tick[] = await run.sink("bars").rows<Tick>();
  const unknowns: unknown[] = await run.sink("bars").take();
  const { count } = await run.state<{ count: number }>("counter", "A");
  const lag: number = await run.metric("numLateRecordsDropped", "bars");
  await run.advanceClock("1h");
  void [rows, unknowns, count.toFixed(), lag];

  // @ts-expect-error A record of another shape.
  run.source<Tick>("ticks").push({ symbol: "A" });
  await run.checkpoint();
  await run.crash();
  await run.restore({ parallelism: 3 });
  await run.rescale(2);
  // @ts-expect-error A number of subtasks.
  await run.rescale("2");
  // @ts-expect-error No duration.
  await run.advanceClock("1 hour");
  // @ts-expect-error The handle is only there once the job runs.
  testJob(job).source("ticks");
  // @ts-expect-error Parameters are text, numbers or booleans.
  await testJob(job, { params: { list: [1] } });
}

export async function functions(): Promise<void> {
  await harness({
    uid: "counter",
    out: t.struct({ word: t.string, count: t.f64 }),
    state: { count: state.value(t.f64, { init: () => 0 }) },
    onRecord(word: string, ctx) {
      const count: number = ctx.state.count.get();
      ctx.emit({ word, count });
      // @ts-expect-error Not what `out` says.
      ctx.emit({ word });
    },
  });
  const counter = await harness(job, "counter");
  counter.record({ any: 1 }, { at: new Date(0), key: "A", input: 1 });
  // @ts-expect-error There are two inputs.
  counter.record({ any: 1 }, { input: 2 });
  // @ts-expect-error A job needs the operator's uid.
  await harness(job);
}
