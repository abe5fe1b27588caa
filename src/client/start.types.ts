// Type tests of `start`: what a job's type says of its parameters and rows.

import { type Job, job, rows, type Source, t } from "../index.ts";
import { type RunningJob, start } from "./index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function expectType<Expected>(): <Actual>(actual: Actual, same: Equal<Actual, Expected>) => void;

declare const ticks: Source<{ symbol: string; price: number }>;
const params = t.struct({ count: t.f64, day: t.string.optional() });

const one = job({ name: "one", params }, (env) =>
  env
    .from("in", ticks)
    .map(({ price }) => price)
    .to("out", rows()),
);
const two = job({ name: "two" }, (env) => {
  const stream = env.from("in", ticks);
  return [
    stream.to("ticks", rows()),
    stream
      .map(({ symbol }) => symbol)
      .to("symbols", rows())
      .parallelism(1),
  ];
});
const none = job({ name: "none" }, (env) => {
  env.from("in", ticks).to("out", rows());
});

type Rows<T> = AsyncIterableIterator<T, undefined>;

export async function typed(): Promise<void> {
  const first = await start<typeof one>("job.ts", { params: { count: "5", day: "monday" } });
  expectType<Rows<number>>()(first.rows("out"), true);
  // @ts-expect-error no sink has this uid
  first.rows("in");
  // @ts-expect-error there is no such parameter
  await start<typeof one>("job.ts", { params: { cuont: 5 } });

  const second = await start<typeof two>(new URL("file:///job.ts"));
  expectType<Rows<{ symbol: string; price: number }>>()(second.rows("ticks"), true);
  expectType<Rows<string>>()(second.rows("symbols"), true);
  // @ts-expect-error a job without a schema has no parameters
  await start<typeof two>("job.ts", { params: { count: 5 } });

  expectType<Rows<unknown>>()((await start<typeof none>("job.ts")).rows("out"), true);
  const any = await start("job.ts", { params: { whatever: true } });
  expectType<Rows<unknown>>()(any.rows("out"), true);
  const job: Job = one;
  const running: RunningJob = first;
  void [job, running];
  // @ts-expect-error the job itself is no file
  await start(one);
}
