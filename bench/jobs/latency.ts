// A source at a fixed rate, one keyed exchange, a sink that compares clocks. Times are taken in the slots themselves:
// all threads of a process share one monotonic clock, counted from different origins.

import { generate, job, type Sink, t } from "millrace";

const Stamped = t.struct({ key: t.f64, sentMs: t.f64 });

/** Monotonic milliseconds since the same instant in every thread. */
const nowMs = (): number => performance.timeOrigin + performance.now();

const BUCKETS = 100_000;
const BUCKET_MS = 0.01;

/** Counts latencies in steps of 10 µs and prints the counts when the input has ended. */
function latencySink(skip: number): Sink<{ key: number; sentMs: number }> {
  return {
    kind: "latency",
    guarantee: "at-least-once",
    describe: () => ({ skip }),
    createWriter: ({ print }) => {
      const counts = new Uint32Array(BUCKETS);
      let seen = 0;
      return {
        open: async () => undefined,
        write: ({ sentMs }) => {
          seen += 1;
          if (seen > skip) counts[Math.min(BUCKETS - 1, Math.max(0, Math.floor((nowMs() - sentMs) / BUCKET_MS)))]! += 1;
          return true;
        },
        flush: async () => undefined,
        prepareCommit: async () => {
          const pairs: number[] = [];
          counts.forEach((count, bucket) => {
            if (count > 0) pairs.push(bucket, count);
          });
          print(JSON.stringify(pairs));
          return [];
        },
        abort: async () => undefined,
        close: async () => undefined,
      };
    },
  };
}

export default job(
  { name: "bench-latency", params: t.struct({ events: t.f64, rate: t.f64 }) },
  (env, { events, rate }) => {
    const source = generate(events, (n) => ({ key: n % 1_000, sentMs: nowMs() }), { type: Stamped, rate });
    env
      .from("stamped", source)
      .parallelism(1)
      .slotGroup("sending")
      .keyBy("key")
      .process({ uid: "pass", out: Stamped, onRecord: (record, ctx) => ctx.emit(record) })
      .parallelism(1)
      .slotGroup("receiving")
      .to("latency", latencySink(rate));
  },
);
