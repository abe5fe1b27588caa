// Type tests of read-only records: what functions must not change, and what must compile all the same.

import { type Infer, job, type Sink, type Source, type Stream, t } from "../index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function expectType<Expected>(): <Actual>(actual: Actual, same: Equal<Actual, Expected>) => void;

const Tick = t.struct({ symbol: t.string, price: t.f64, qty: t.f64, ts: t.timestamp });
type Tick = Infer<typeof Tick>;
declare const ticks: Source<Tick>;
declare const anySink: Sink<unknown>;

/** Functions over streams of any type are possible. */
function mapped<T extends { readonly symbol: string }, O>(stream: Stream<T>, map: (record: T) => O[]): Stream<O> {
  return stream.filter((record) => record.symbol !== "").flatMap(map);
}

function tagged<T extends object>(stream: Stream<T>): Stream<T & { tag: string }> {
  return stream.map((record) => ({ ...record, tag: "a" }));
}

function some<T, U extends T, O>(stream: Stream<T>, isOne: (record: T) => record is U, map: (record: U) => O) {
  const kept: Stream<U> = stream.filter(isOne);
  const twice: Stream<U> = kept.flatMap((record) => [record, record]);
  return twice.map(map);
}

function mappedTicks<O>(stream: Stream<Tick>, map: (tick: Tick) => O): Stream<O> {
  return stream.map(map);
}

function latestOf<T extends { ts: number; symbol: string }>(stream: Stream<T>, isKept: (record: T) => boolean) {
  return stream
    .filter(isKept)
    .eventTime({ at: (record) => record.ts })
    .keyBy((record) => record.symbol, t.string)
    .reduce("latest", (left, right) => (left.ts > right.ts ? left : right));
}

class Money {
  #cents = 0;
  currency = "";
  add(cents: number): void {
    this.#cents += cents;
  }
}
type Odd = { money: Money; tags: string[] };
declare const lists: Source<number[]>;
declare const monies: Source<Money>;
declare const unions: Source<Tick | number[] | string | null>;
declare const maps: Source<Map<string, number>>;
declare const untyped: Source<unknown>;
// biome-ignore lint/suspicious/noExplicitAny: what users' own code may give
declare const anything: Source<any>;
declare const odd: Source<Odd>;
declare function priceOf(tick: Tick): number;
declare function sumOf(numbers: number[]): number;
declare function isTick(value: unknown): value is Tick;

/** Records are read-only for functions: only their properties, and only where nothing else is refused. */
export const readOnly = job({ name: "read-only" }, (env) => {
  const stream = env.from("ticks", ticks).eventTime({ at: "ts" });
  // @ts-expect-error Other branches hold the record, too.
  stream.map((r) => (r.price = 1));
  // @ts-expect-error Also where a type is declared.
  stream.map(t.struct({ a: t.f64 }), (r) => ({ a: r.price++ }));
  // @ts-expect-error Also for what only looks.
  stream.filter((r) => r.price++ > 0);
  stream.flatMap((r) => {
    // @ts-expect-error Nor is a field to be removed.
    delete r.price;
    return [r];
  });
  const keyed = stream.keyBy("symbol");
  const own = { uid: "own", out: t.f64 };
  // @ts-expect-error Nor in process functions.
  keyed.process({ ...own, onRecord: (r) => void r.price++ });
  // @ts-expect-error Nor in those of two streams.
  keyed.connect(keyed).process({ ...own, onLeft: (r) => void r.price++, onRight() {} });
  // The left one belongs to the function.
  keyed.reduce("sums", (left, right) => {
    left.qty += right.qty;
    // @ts-expect-error The right one does not.
    right.qty = 0;
    return left;
  });
});

export const stillPossible = job({ name: "still-possible" }, (env) => {
  const stream = env.from("ticks", ticks).eventTime({ at: "ts" });
  expectType<Stream<Readonly<Tick>>>()(
    stream.map((r) => r),
    true,
  );
  const same: Stream<Tick> = stream.flatMap((r) => [r, r]);
  same.to("same", anySink);
  stream
    .map((r) => r)
    .keyBy("symbol")
    .reduce("again", (left, right) => {
      left.qty += right.qty;
      return left;
    });
  expectType<Stream<Tick>>()(
    stream.filter((r) => r.price > 1),
    true,
  );
  expectType<Stream<Tick>>()(env.from("untyped", untyped).filter(isTick), true);
  expectType<Stream<number>>()(stream.map(priceOf), true);
  stream.map((r) => ({ ...r, a: priceOf(r) })).to("spread", anySink);
  stream
    .map(({ price, ...rest }) => ({ ...rest, price: price + 1 }))
    .map(priceOf)
    .to("rest", anySink);
  const copies = stream.map((r) => {
    const copy = { ...r };
    copy.price = 1;
    return copy;
  });
  expectType<Stream<Tick>>()(copies, true);
  const latest = latestOf(stream, (r) => r.price > 1);
  expectType<Stream<Tick>>()(latest, true);
  expectType<Stream<string>>()(
    mapped(latest, (r) => [r.symbol]),
    true,
  );

  expectType<Stream<Tick & { tag: string }>>()(tagged(stream), true);
  expectType<Stream<number>>()(some(env.from("untyped-2", untyped), isTick, priceOf), true);
  expectType<Stream<number>>()(mappedTicks(stream, priceOf), true);
});

export const asTheyAre = job({ name: "as-they-are" }, (env) => {
  env.from("lists", lists).map(sumOf).to("sums", anySink);
  env
    .from("monies", monies)
    .map((money: Money) => money.add(1))
    .to("monies", anySink);
  env
    .from("maps", maps)
    .map((map: Map<string, number>) => map.set("a", 1))
    .to("maps", anySink);
  env
    .from("anything", anything)
    .map((r) => (r.a.b = r.c))
    .to("anything", anySink);
  env
    .from("odd", odd)
    .map((r) => r.tags.push("a") + r.money.currency.length)
    .to("odd", anySink);
  const mixed = env.from("unions", unions);
  const passed: Stream<Tick | number[] | string | null> = mixed.map((r) => r);
  passed.to("passed", anySink);
  mixed.map((r) => (Array.isArray(r) ? sumOf(r) : isTick(r) ? priceOf(r) : r)).to("mixed", anySink);
});
