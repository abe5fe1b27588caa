// Type tests of the job API: what must compile, with the types it must infer, and what must not. Checked by tsc, never
// run.

import { z } from "zod";
import {
  type AggregatingState,
  col,
  count,
  type Infer,
  type InvalidRow,
  job,
  last,
  max,
  maxBy,
  mean,
  quantile,
  type Sink,
  type Source,
  type StandardSchema,
  type StateDeclaration,
  type Stream,
  session,
  sliding,
  state,
  stddev,
  sum,
  t,
  tumbling,
  type ValueState,
  weightedMean,
} from "../index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function expectType<Expected>(): <Actual>(actual: Actual, same: Equal<Actual, Expected>) => void;

const Tick = t.struct({ symbol: t.string, price: t.f64, qty: t.f64, ts: t.timestamp });
type Tick = Infer<typeof Tick>;
declare const ticks: Source<Tick>;
declare const texts: Source<Record<string, string>>;
declare const anySink: Sink<unknown>;
declare const barSink: Sink<{
  symbol: string;
  vwap: number | null;
  volume: number;
  trades: number;
  start: number;
  end: number;
}>;

export const ticker = job({ name: "vwap-1m" }, (env) => {
  const bars = env
    .from("ticks", ticks)
    .eventTime({ at: "ts", outOfOrder: "5s", idle: "30s" })
    .keyBy("symbol")
    .window(tumbling("1m"))
    .allowLate("30s")
    .aggregate({ vwap: weightedMean("price", "qty"), volume: sum("qty"), trades: count() });
  bars.to("bars", barSink);
  expectType<Stream<Tick>>()(bars.side.late, true);
  bars.side.late.to("late-ticks", anySink);
});

const Reading = t.struct({ device: t.string, celsius: t.f64, ts: t.timestamp });
const Alert = t.struct({ device: t.string, kind: t.enum("spike", "silent"), at: t.timestamp, z: t.f64.nullable() });
const Welford = t.struct({ n: t.f64, mean: t.f64, m2: t.f64 });
declare const readings: Source<Infer<typeof Reading>>;

export const sensors = job({ name: "iot-anomaly" }, (env) => {
  const alerts = env
    .from("readings", readings)
    .eventTime({ at: (r) => r.ts, outOfOrder: "10s" })
    .keyBy("device")
    .process({
      uid: "detector",
      out: Alert,
      side: { odd: t.string },
      state: {
        w: state.value(Welford, { init: () => ({ n: 0, mean: 0, m2: 0 }), ttl: "7d" }),
        seen: state.map(t.string, t.f64),
        maybe: state.value(t.f64),
      },
      onRecord(r, ctx) {
        const { n, mean: average } = ctx.state.w.get();
        expectType<string>()(ctx.key, true);
        expectType<number | null>()(ctx.state.maybe.get(), true);
        if (r.celsius > average) ctx.emit({ device: ctx.key, kind: "spike", at: r.ts, z: n });
        ctx.state.seen.set(r.device, n);
        ctx.timers.set("silence", r.ts + 60_000);
        ctx.side.odd(r.device);
        // @ts-expect-error An alert has no kind "loud".
        ctx.emit({ device: ctx.key, kind: "loud", at: r.ts, z: n });
        // @ts-expect-error A Welford has no field "count".
        ctx.state.w.set({ count: 1 });
        // @ts-expect-error There is no state of that name.
        ctx.state.other.get();
        // @ts-expect-error There is no side output of that name.
        ctx.side.loud("x");
      },
      onTimer({ at, name, key }, ctx) {
        expectType<string>()(name, true);
        expectType<string>()(key, true);
        ctx.emit({ device: ctx.key, kind: "silent", at, z: null });
      },
    });
  expectType<Stream<string>>()(alerts.side.odd, true);
  alerts.to("alerts", anySink);
});

export const ordered = job({ name: "ordered" }, (env) => {
  const keyed = env
    .from("readings", readings)
    .eventTime({ at: (r) => r.ts })
    .keyBy("device");
  type Device = Infer<typeof Reading>;
  const own = { uid: "own", out: Alert, side: { odd: t.string } };
  const alerts = keyed.inOrder().process({
    ...own,
    onRecord(r, ctx) {
      expectType<Readonly<Device>>()(r, true);
      ctx.side.odd(ctx.key);
      // @ts-expect-error What is late never comes to the function.
      ctx.side.late(r);
    },
  });
  expectType<Stream<Device>>()(alerts.side.late, true);
  expectType<Stream<string>>()(alerts.side.odd, true);
  const hottest = keyed.inOrder().reduce("hottest", (a, b) => (a.celsius > b.celsius ? a : b));
  expectType<Stream<Device>>()(hottest.side.late, true);
  hottest.map((r) => r.celsius.toFixed(1));
  const counts = keyed.inOrder().aggregate({ n: count() });
  expectType<Stream<Device>>()(counts.side.late, true);
  counts.map((r) => `${r.device} ${r.n.toFixed(0)}`);
  const both = keyed.connect(keyed).inOrder();
  const pairs = both.process({ ...own, uid: "pairs", onLeft() {}, onRight() {} });
  expectType<Stream<Device>>()(pairs.side.late, true);
  // @ts-expect-error Windows take records in any order.
  keyed.inOrder().window;
  // @ts-expect-error Connect first.
  keyed.inOrder().connect;
  // @ts-expect-error The name is taken.
  keyed.inOrder().process({ uid: "taken", out: Alert, side: { late: t.string }, onRecord() {} });
});

const Sale = z.object({ store: z.string().trim(), amount: z.coerce.number().positive(), day: z.coerce.date() });

export const clean = job(
  { name: "clean-sales", mode: "batch", params: z.object({ in: z.string(), out: z.string() }) },
  (env, p) => {
    expectType<{ in: string; out: string }>()(p, true);
    const sales = env.from("csv", texts).parse(Sale, { invalid: "side" });
    expectType<Stream<InvalidRow>>()(sales.side.invalid, true);
    sales.side.invalid.to("rejects", anySink);
    const stats = sales.keyBy("store").aggregate({
      n: count(),
      mean: mean("amount"),
      sd: stddev("amount"),
      p95: quantile("amount", 0.95),
      top: maxBy("amount", "day"),
    });
    const checked = stats.map((row) => {
      expectType<string>()(row.store, true);
      expectType<number>()(row.n, true);
      expectType<number>()(row.mean, true);
      expectType<number | null>()(row.sd, true);
      expectType<number>()(row.p95, true);
      expectType<Date>()(row.top, true);
      return row;
    });
    checked.to("stats", anySink);
  },
);

const Quote = t.struct({
  "price.usd": t.f64,
  "price.eur": t.f64.optional(),
  "No.": t.string,
  order: t.struct({ id: t.f64, tag: t.string.nullable() }),
});
declare const quotes: Source<Infer<typeof Quote>>;

export const dots = job({ name: "dots" }, (env) => {
  const stream = env.from("quotes", quotes);
  const kept = stream.filter(col("price.usd").gt(col("order.id")).and(col("price.eur").orElse(1).lt(3)));
  const rows = kept.keyBy("No.").aggregate({
    usd: sum("price.usd"),
    eur: sum("price.eur"),
    id: max("order.id"),
    tag: last("order.tag"),
    dearest: maxBy("price.usd", "No."),
  });
  expectType<
    Stream<{
      "No.": string;
      usd: number;
      eur: number | null;
      id: number;
      tag: string | null;
      dearest: string;
    }>
  >()(rows, true);
  // @ts-expect-error No such field, nested or not.
  stream.filter(col("price.gbp").gt(3));
  // @ts-expect-error A text.
  stream.filter(col("order.tag").gt(3));
});

const Nested = t.struct({
  order: t.struct({
    id: t.f64,
    at: t.timestamp,
    "a.b": t.f64,
    by: t.struct({ name: t.string, at: t.timestamp, in: t.struct({ at: t.timestamp }) }),
  }),
  "order.id": t.string,
  maybe: t.struct({ id: t.string, at: t.f64 }).nullable(),
  absent: t.struct({ id: t.string, at: t.timestamp.nullable() }).optional(),
  tags: t.list(t.string),
  table: t.map(t.string, t.f64),
});
declare const nested: Source<Infer<typeof Nested>>;

export const nestedTimes = job({ name: "nested-times" }, (env) => {
  const stream = env.from("nested", nested);
  stream.eventTime({ at: "order.at" }).eventTime({ at: "order.by.at" });
  // A missing parent is a missing time, which is refused as its record comes.
  stream.eventTime({ at: "maybe.at" }).eventTime({ at: "absent.at" });
  // @ts-expect-error No such nested field.
  stream.eventTime({ at: "order.ts" });
  // @ts-expect-error A nested text is no time.
  stream.eventTime({ at: "order.by.name" });
  // @ts-expect-error The field of exactly that name, a text, goes before the nested number.
  stream.eventTime({ at: "order.id" });
  // @ts-expect-error A dot in a path parts names: no nested name has one.
  stream.eventTime({ at: "order.a.b" });
  // @ts-expect-error Paths are three names long at most.
  stream.eventTime({ at: "order.by.in.at" });
  // @ts-expect-error Lists are no structs.
  stream.eventTime({ at: "tags.length" });
  // @ts-expect-error Nor are maps.
  stream.eventTime({ at: "table.size" });
});

export const nestedKeys = job({ name: "nested-keys" }, (env) => {
  const stream = env.from("nested", nested);
  const rows = stream
    .eventTime({ at: "order.at" })
    .keyBy("order.by.name")
    .window(tumbling("1m"))
    .aggregate({ n: count() });
  rows.map((row) => {
    expectType<{ "order.by.name": string; start: number; end: number; n: number }>()({ ...row }, true);
    return row;
  });
  const whole = stream.keyBy("order.id").aggregate({ n: count() });
  expectType<Stream<{ "order.id": string; n: number }>>()(whole, true);
  stream.keyBy("order.at").process({
    uid: "at",
    out: t.f64,
    onRecord: (_, ctx) => expectType<number>()(ctx.key, true),
  });
  const both = stream.keyBy("order.id", "order.by.name");
  expectType<Stream<{ "order.id": string; "order.by.name": string; n: number }>>()(
    both.aggregate({ n: count() }),
    true,
  );
  stream.keyBy(["order.id", "order.at"]).process({
    uid: "pair",
    out: t.f64,
    onRecord: (_, ctx) => expectType<{ "order.id": string; "order.at": number }>()(ctx.key, true),
  });
  // @ts-expect-error The second is a struct.
  stream.keyBy("order.id", "order.by");
  // @ts-expect-error No such nested field in the array.
  stream.keyBy(["order.id", "order.name"]);
  // @ts-expect-error No such nested field.
  stream.keyBy("order.name");
  // @ts-expect-error A struct.
  stream.keyBy("order.by");
  // @ts-expect-error A dot in a path parts names: no nested name has one.
  stream.keyBy("order.a.b");
  // @ts-expect-error Paths are three names long at most.
  stream.keyBy("order.by.in.at");
  // @ts-expect-error A key cannot be missing, as it is without its parent.
  stream.keyBy("maybe.id");
  // @ts-expect-error Nor where the parent is optional.
  stream.keyBy("absent.id");
  // @ts-expect-error Lists are no structs.
  stream.keyBy("tags.length");
  // @ts-expect-error Nor are maps.
  stream.keyBy("table.size");
  // @ts-expect-error Both keys have the same type.
  stream.keyBy("order.id").connect(stream.keyBy("order.at"));
});

export const shapes = job({ name: "shapes" }, (env) => {
  const stream = env.from("ticks", ticks).eventTime({ at: "ts" });
  const cheap = stream.filter(col("price").lt(3)).map(({ symbol, price }) => ({ symbol, price }));
  expectType<Stream<{ symbol: string; price: number }>>()(cheap, true);
  const declared = stream.map(t.struct({ a: t.i32 }), () => ({ a: 1 }));
  expectType<Stream<{ a: number }>>()(declared, true);
  const Legs = t.struct({ legs: t.list(t.f64) });
  stream
    .map(Legs, ({ qty }) => ({ legs: [qty] }))
    .flatMap(Legs, ({ legs }) => [{ legs }])
    .to("legs", anySink);
  // biome-ignore lint/suspicious/noExplicitAny: what users' own code may give
  stream.map(Legs, (): any => null).to("any-legs", anySink);
  stream
    .flatMap((r) => {
      throw new Error(r.symbol);
    })
    .to("none", anySink);
  const words = stream.flatMap((r) => r.symbol.split("-"));
  expectType<Stream<string>>()(words, true);
  const both = cheap.union(declared);
  expectType<Stream<{ symbol: string; price: number } | { a: number }>>()(both, true);
  const sessions = stream
    .keyBy((r) => r.qty, t.f64)
    .window(session("30m"))
    .aggregate({ n: count() });
  sessions.map((row) => {
    expectType<{ key: number; start: number; end: number; n: number }>()({ ...row }, true);
    return row.key;
  });
  const joined = stream.keyBy("symbol").connect(env.from("again", ticks).keyBy("symbol"));
  joined
    .process({
      uid: "join",
      out: t.f64,
      onLeft: (left, ctx) => ctx.emit(left.price),
      onRight: (right, ctx) => ctx.emit(right.qty),
    })
    .to("joined", anySink);
  const latest = stream.keyBy("symbol").reduce("latest", (left, right) => (left.ts > right.ts ? left : right));
  expectType<Stream<Tick>>()(latest, true);
  stream
    .rebalance()
    .rescale()
    .broadcast()
    .global()
    .partitionBy((r, n) => r.qty % n)
    .name("x")
    .uid("y")
    .parallelism(2)
    .maxParallelism(8)
    .slotGroup("g");
  const failed = stream.map((r) => r.price).onError("side");
  failed.side.errors.to("errors", anySink);
  const split = stream
    .keyBy("symbol")
    .process({ uid: "split", out: t.f64, side: { odd: t.string }, onRecord: (r, ctx) => ctx.emit(r.price) })
    .onError("side");
  expectType<Stream<string>>()(split.side.odd, true);
  split.side.errors.map(({ error }) => error.length).to("lengths", anySink);
  split.map((price): unknown => price).to("unknown", anySink);
  // biome-ignore lint/suspicious/noExplicitAny: what users' own code may give
  split.map((price): any => price).to("any", anySink);
  passedOn(split).to("same", anySink);
});

/** Functions over streams of any type are possible. */
function passedOn<T>(stream: Stream<T>): Stream<T> {
  return stream.map((record) => record).name("passed on");
}

export const byDuration = job(
  { name: "gap", params: t.struct({ gap: t.duration, size: t.duration }) },
  (env, params) => {
    const keyed = env.from("ticks", ticks).eventTime({ at: "ts", outOfOrder: params.gap }).keyBy("symbol");
    keyed.window(session(params.gap)).aggregate({ n: count() });
    keyed.window(tumbling(params.size)).allowLate(params.gap).aggregate({ n: count() });
  },
);

const Side = t.enum("buy", "sell");
const Trade = t.struct({ side: Side, size: t.enum("big").nullable(), kinds: t.list(t.union(Side, t.f64)) });
type Side = Infer<typeof Side>;

/** Texts in what functions give are literals of the declared types. */
export const literals = job({ name: "literals" }, (env) => {
  const stream = env.from("ticks", ticks);
  stream.map(Trade, ({ qty }) => ({ side: qty > 0 ? "buy" : "sell", size: qty > 9 ? "big" : null, kinds: ["buy", 1] }));
  stream.map(t.union(Trade, t.struct({ side: t.enum("none") })), ({ qty }) => {
    if (qty === 0) return { side: "none" };
    return { side: "buy", size: "big", kinds: [] };
  });
  stream.flatMap(Trade, ({ qty }) => (qty > 0 ? [{ side: "buy", size: null, kinds: ["sell"] }] : []));
  stream.flatMap(Trade, function* () {
    yield { side: "buy", size: null, kinds: ["sell"] };
  });
  stream.keyBy(({ qty }) => ({ side: qty > 0 ? "buy" : "sell" }), t.struct({ side: Side }));
  state.value(Trade, { init: () => ({ side: "buy", size: null, kinds: ["sell"] }) });
  state.reducing(Trade, ({ side }) => ({ side: side === "buy" ? "sell" : "buy", size: null, kinds: ["sell"] }));
  const Last = t.struct({ side: Side });
  const last = state.aggregating(Last, {
    create: () => ({ side: "buy" }),
    add: (_, qty: number) => ({ side: qty > 0 ? "buy" : "sell" }),
    merge: (_, right) => right,
    result: ({ side }) => side,
  });
  expectType<StateDeclaration<AggregatingState<number, Side>>>()(last, true);
  const Before = t.struct({ side: t.string, size: t.f64 });
  const migrated = state.value(Trade, {
    migrate: {
      from: Before,
      with: ({ size }) => ({ side: size > 0 ? "buy" : "sell", size: size > 9 ? "big" : null, kinds: [] }),
    },
  });
  expectType<StateDeclaration<ValueState<Infer<typeof Trade> | null>>>()(migrated, true);
  state.value(t.f64, { init: () => 0, migrate: { from: t.string, with: Number } });
  state.list(t.string, { ttl: "1d", migrate: { from: Before, with: (old) => old.side } });
  state.map(t.string, Last, { migrate: { from: Before, with: () => ({ side: "sell" }) } });
  state.reducing(t.f64, (left, right) => left + right, { migrate: { from: Before, with: (old) => old.size } });
  state.aggregating(
    Last,
    {
      create: () => ({ side: "buy" }),
      add: (_, qty: number) => ({ side: qty > 0 ? "buy" : "sell" }),
      merge: (_, right) => right,
      result: ({ side }) => side,
    },
    { migrate: { from: Before, with: (old) => ({ side: old.size > 0 ? "buy" : "sell" }) } },
  );
  // @ts-expect-error The older type has no such field.
  state.value(t.f64, { migrate: { from: Before, with: (old) => old.price } });
  // @ts-expect-error It gives a text.
  state.value(t.f64, { migrate: { from: Before, with: (old) => old.side } });
  // @ts-expect-error No such value of the enum.
  state.value(Last, { migrate: { from: Before, with: () => ({ side: "none" }) } });
  // @ts-expect-error The older type is missing.
  state.value(t.f64, { migrate: { with: () => 1 } });
  // @ts-expect-error No such value of the enum.
  stream.map(Last, ({ qty }) => ({ side: qty > 0 ? "buy" : "none" }));
});

/** The schema may be any. */
export const parsed = <S extends StandardSchema>(
  stream: Stream<string>,
  schema: S,
  parse: (text: string) => Infer<S>,
) => {
  stream.flatMap(schema, (text) => [parse(text)]);
  return stream.map(schema, parse);
};

export const refused = job({ name: "refused", params: t.struct({ n: t.f64 }) }, (env, params) => {
  const stream = env.from("ticks", ticks);
  // @ts-expect-error No such parameter.
  params.m;
  // @ts-expect-error No such field to key by.
  stream.keyBy("ticker");
  // @ts-expect-error A key function needs the type of its key.
  stream.keyBy((r) => r.symbol);
  const keyed = stream.eventTime({ at: "ts" }).keyBy("symbol");
  // @ts-expect-error "5 min" is no duration.
  keyed.window(tumbling("5 min"));
  // @ts-expect-error Neither is a number.
  keyed.window(sliding("1h", 5));
  // @ts-expect-error A sum over a string.
  keyed.aggregate({ total: sum("symbol") });
  // @ts-expect-error A sum over a column that does not exist.
  keyed.aggregate({ total: sum("amount") });
  // @ts-expect-error Event times are numbers or dates.
  stream.eventTime({ at: "symbol" });
  // @ts-expect-error No such field.
  stream.filter(col("amount").gt(3));
  // @ts-expect-error Strings have no such comparison with numbers.
  stream.filter(col("symbol").gt(3));
  // @ts-expect-error A filter gives a boolean.
  stream.filter((r) => r.price);
  // @ts-expect-error The function must give what the declared type says.
  stream.map(t.struct({ a: t.f64 }), () => ({ a: "1" }));
  // @ts-expect-error Functions are synchronous.
  stream.map(async (r) => r).to("async", anySink);
  // @ts-expect-error Also where only some results are promises.
  stream.map((r) => (r.qty > 0 ? r : Promise.resolve(r))).to("async", anySink);
  // @ts-expect-error Functions of process are, too.
  keyed.process({ uid: "async", out: t.f64, onRecord: async (r, ctx) => ctx.emit(r.price) });
  // @ts-expect-error Durations have no space.
  keyed.window(tumbling("1m")).allowLate("30 s");
  // @ts-expect-error Late records come from windows only.
  keyed.aggregate({ n: count() }).side.late;
  // @ts-expect-error A window has to be aggregated first.
  keyed.window(tumbling("1m")).to("out", anySink);
  // @ts-expect-error A sink needs a uid.
  stream.to(anySink);
  // @ts-expect-error The sink takes other records.
  stream.to("bars", barSink);
  // @ts-expect-error A source needs a uid.
  env.from(ticks);
  // @ts-expect-error A process function needs a uid.
  keyed.process({ out: t.f64, onRecord: () => undefined });
  // @ts-expect-error That side output belongs to onError("side").
  keyed.process({ uid: "p", out: t.f64, side: { errors: t.f64 }, onRecord: () => undefined });
  // @ts-expect-error Both inputs of a connection have the same type of key.
  keyed.connect(stream.keyBy("price"));
});
