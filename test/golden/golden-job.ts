// The job behind the golden snapshots: every kind of state, timers, windows, sketches, keys, a source with splits left
// and splits begun, a sink that prepares. It reads its items and waits: what it keeps then does not depend on how it
// was scheduled. `more`: further items, for a job that goes on from a snapshot.

import {
  aggregate,
  collect,
  count,
  distinctCount,
  first,
  type Infer,
  job,
  last,
  max,
  maxBy,
  mean,
  min,
  minBy,
  quantile,
  type Sink,
  type Source,
  type SourceSplit,
  session,
  sliding,
  state,
  stddev,
  sum,
  t,
  tumbling,
  weightedMean,
} from "../../src/index.ts";

const Event = t.struct({
  user: t.string,
  shop: t.i64,
  item: t.enum("pen", "ink", "paper"),
  price: t.f64,
  note: t.string.nullable(),
  ts: t.timestamp,
});
type Event = Infer<typeof Event>;

const USERS = ["ada", "bob", "çelik", "日本", ""];
const ITEMS = ["pen", "ink", "paper"] as const;

/** Event `n` of a split; a second lies between two. */
function event(split: number, n: number): Event {
  const user = USERS[(n * 3 + split) % USERS.length]!;
  const item = ITEMS[(n + split) % ITEMS.length]!;
  const note = n % 4 === 0 ? null : `note ${n} of ${split}`;
  return { user, shop: BigInt(n % 3) - 1n, item, price: n + split / 4, note, ts: 60_000 * split + 1_000 * n };
}

const PER_SPLIT = 20;

/** Two splits that give their events and then wait for ever, and `idle` ones that nobody gets to. */
function waiting(more: number): Source<Event> {
  return {
    ...{ kind: "waiting", type: Event.spec, bounded: false, invalid: "fail" },
    describe: () => ({}),
    createEnumerator: () => {
      let left: SourceSplit[] = [0, 1].map((split) => ({ id: `split ${split}`, position: 0 }));
      return {
        start: async () => undefined,
        next: () => left.shift() ?? null,
        addBack: (splits) => void left.unshift(...splits),
        snapshot: () => ({ left: left.length, seen: "two splits" }),
        restore: (before) => {
          left = left.slice(left.length - (before as { left: number }).left);
        },
        close: async () => undefined,
      };
    },
    createReader: ({ wake }) => {
      const own: { split: number; next: number }[] = [];
      return {
        addSplit: ({ id, position }) => {
          own.push({ split: Number(id.at(-1)), next: position as number });
          wake();
        },
        noMoreSplits: () => undefined,
        poll(output) {
          const due = own.find(({ next }) => next < PER_SPLIT + more);
          if (due === undefined) return "wait";
          output.enterSplit(`split ${due.split}`);
          output.offer(event(due.split, due.next), Number.NaN);
          due.next += 1;
          return "more";
        },
        snapshot: () => own.map(({ split, next }) => ({ id: `split ${split}`, position: next })),
        close: async () => undefined,
      };
    },
  };
}

/** What it has prepared when the job is stopped is in the snapshot, and committed again by whoever goes on from it. */
function preparing(written: unknown[], committed: unknown[]): Sink<unknown> {
  return {
    ...{ kind: "preparing", guarantee: "exactly-once", parallelism: 1 },
    describe: () => ({}),
    createWriter: () => {
      let rows = 0;
      return {
        open: async () => undefined,
        write: (row) => {
          rows += 1;
          return written.push(row) > 0;
        },
        flush: async () => undefined,
        prepareCommit: async () => {
          const prepared = rows === 0 ? [] : [{ rows, name: "part-1" }];
          rows = 0;
          return prepared;
        },
        abort: async () => undefined,
        close: async () => undefined,
      };
    },
    createCommitter: () => ({
      open: async () => undefined,
      commit: async (committables: readonly unknown[]) => void committed.push(...committables),
      close: async () => undefined,
    }),
  } as Sink<unknown>;
}

const Seen = t.struct({ items: t.i32, last: t.string.optional(), when: t.date.nullable() });

export type Given = { readonly written: Record<string, unknown[]>; readonly committed: Record<string, unknown[]> };

/** `given`: by sink, what it was given. */
export function goldenJob({ written, committed }: Given, more = 0) {
  const into = (name: string): Sink<unknown> => {
    // The job is built once for each slot.
    written[name] ??= [];
    committed[name] ??= [];
    return preparing(written[name], committed[name]);
  };
  return job({ name: "golden" }, (env) => {
    const events = env.from("events", waiting(more)).eventTime({ at: "ts", outOfOrder: "1s" });
    events
      .keyBy("user")
      .process({
        uid: "state",
        state: {
          number: state.value(t.f64),
          seen: state.value(Seen),
          any: state.value(t.any),
          notes: state.list(t.string.nullable()),
          byItem: state.map(t.enum("pen", "ink", "paper"), t.i64, { ttl: "365d" }),
          dearest: state.reducing(Event, (left, right) => (right.price > left.price ? right : left)),
          mean: state.aggregating(t.struct({ n: t.i32, sum: t.f64 }), {
            create: () => ({ n: 0, sum: 0 }),
            add: ({ n, sum: total }, price: number) => ({ n: n + 1, sum: total + price }),
            merge: (left, right) => ({ n: left.n + right.n, sum: left.sum + right.sum }),
            result: ({ n, sum: total }) => total / n,
          }),
        },
        out: t.struct({ user: t.string, n: t.f64, mean: t.f64 }),
        onRecord(record, { state: own, timers, emit }) {
          own.number.set((own.number.get() ?? 0) + 1);
          const when = record.note === null ? null : new Date(record.ts);
          own.seen.set({ items: own.number.get() ?? 0, ...(record.note !== null && { last: record.note }), when });
          own.any.set(new Map<string, unknown>([["price", record.price], ["item", [record.item, record.shop]]]));
          own.notes.add(record.note);
          own.byItem.set(record.item, (own.byItem.get(record.item) ?? 0n) + 1n);
          own.dearest.add(record);
          own.mean.add(record.price);
          timers.set(`silent ${record.item}`, record.ts + 86_400_000);
          timers.processing.set("clock", 4_000_000_000_000);
          emit({ user: record.user, n: own.number.get() ?? 0, mean: own.mean.get() ?? 0 });
        },
        onTimer: () => undefined,
      })
      .to("out.state", into("state"));
    const MINUTE = { n: count(), paid: sum("price"), mean: mean("price"), low: min("price"), high: max("price") };
    events
      .keyBy("user")
      .window(tumbling("7s"))
      .allowLate("1h")
      .aggregate({
        ...MINUTE,
        spread: stddev("price"),
        weighted: weightedMean("price", "ts"),
        firstNote: first("note"),
        cheapest: minBy("price", "item"),
        dearest: maxBy("price", "item"),
        notes: collect("note", { limit: 3 }),
        median: quantile("price", 0.5),
        items: distinctCount("item"),
        own: aggregate({
          create: () => ({ texts: [] as string[] }),
          add: ({ texts }: { texts: string[] }, { item }: Event) => ({ texts: [...texts, item].slice(-2) }),
          merge: (left, right) => ({ texts: [...left.texts, ...right.texts].slice(-2) }),
          result: ({ texts }) => texts.join("+"),
        }),
      })
      .uid("tumbling")
      .to("out.tumbling", into("tumbling"));
    events
      .keyBy("shop")
      .window(sliding("9s", "3s"))
      .aggregate(MINUTE)
      .uid("sliding")
      .to("out.sliding", into("sliding"));
    events
      .keyBy("user", "item")
      .window(session("5s"))
      .aggregate({ n: count(), last: last("price") })
      .uid("sessions")
      .to("out.sessions", into("sessions"));
    events.keyBy("item").aggregate({ n: count(), paid: sum("price") }).uid("running").to("out.running", into("running"));
    events
      .keyBy("shop")
      .reduce("latest", (_, right) => right)
      .to("out.latest", into("latest"));
    events
      .keyBy("price")
      .inOrder()
      .process({ uid: "ordered", out: t.f64, onRecord: ({ price }, { emit }) => emit(price) })
      .to("out.ordered", into("ordered"));
  });
}

