// Random small jobs over updates: running aggregates, folds, and windows that take late records, with filters, sinks
// and parallelisms behind them. A naive interpreter says which sinks are refused when the job is built, and what a
// store by key, a reader of all changes and one of plain rows have in the end.

import assert from "node:assert/strict";
import { jobBuild } from "../../src/api/job.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { collection } from "../../src/connectors/collection/index.ts";
import { col, count, type Expr, type Job, job, type Stream, session, sliding, t, tumbling } from "../../src/index.ts";
import type { SinkTakes } from "../../src/operators/changelog.ts";
import { type Simulation, simulateJob } from "../../src/testing/simulate-job.ts";
import { BUILD_DEFAULTS } from "../api/job-refusal.ts";
import { type Change, ChangesKept } from "../connectors/changes.ts";

const Click = t.struct({ user: t.string, half: t.f64, at: t.timestamp, n: t.f64 });
type Click = { readonly user: string; readonly half: number; readonly at: number; readonly n: number };

/** As sinks get it: the fields of its key, and how many clicks there are. */
type Row = Readonly<Record<string, unknown>> & { readonly n: number };

type Stage = "aggregate" | "reduce" | "tumbling" | "sliding" | "session";
type Filter = {
  readonly by: "key" | "expression" | "function";
  readonly than: number;
  readonly parallelism: number;
  readonly chaining: "always" | "never";
};
/** `after`: that many filters. */
type SinkOf = { readonly after: number; readonly takes: SinkTakes; readonly parallelism: number };

type Updates = {
  readonly clicks: readonly Click[];
  readonly typed: boolean;
  readonly stage: Stage;
  readonly key: "field" | "fields" | "function";
  readonly parallelism: number;
  readonly sourceParallelism: number;
  readonly filters: readonly Filter[];
  readonly sinks: readonly SinkOf[];
};

const SIZE_MS = 20;
const GAP_MS = 15;
const WINDOWS = {
  tumbling: tumbling(`${SIZE_MS}ms`),
  sliding: sliding(`${2 * SIZE_MS}ms`, `${SIZE_MS}ms`),
  session: session(`${GAP_MS}ms`),
} as const;

function updatesOf(seed: number): Updates {
  const random = new SeededRandom(seed ^ 0x51a7e);
  const one = <T>(values: readonly T[]): T => values[random.below(values.length)]!;
  const users = 1 + random.below(9);
  const parallelism = one([1, 2, 3]);
  const same = (): number => (random.next() < 0.75 ? parallelism : one([1, 2, 3]));
  const filters = Array.from({ length: random.below(4) }, (): Filter => {
    const by = one(["key", "expression", "function"] as const);
    return { by, than: random.below(4), parallelism: same(), chaining: one(["always", "always", "never"] as const) };
  });
  const sinks = Array.from({ length: random.below(4) }, (): SinkOf => {
    const takes = one(["upsert", "changes", "rows"] as const);
    return { after: random.below(filters.length + 1), takes, parallelism: same() };
  });
  return {
    clicks: Array.from({ length: random.below(100) }, () => {
      return { user: `u${random.below(users)}`, half: random.below(2), at: random.below(400), n: 1 };
    }),
    typed: random.next() < 0.5,
    stage: one(["aggregate", "reduce", "tumbling", "sliding", "session"] as const),
    key: one(["field", "fields", "function"] as const),
    parallelism,
    sourceParallelism: one([1, 1, 2]),
    filters,
    sinks: [...sinks, { after: 0, takes: "changes", parallelism }], // One that is never refused.
  };
}

// ------------------------------------------------------------------ the job

function declared(updates: Updates): { readonly job: Job; readonly kept: readonly ChangesKept<Row>[] } {
  const kept = updates.sinks.map(() => new ChangesKept<Row>());
  const made = job({ name: "updates" }, (env) => {
    const clicks = collection([...updates.clicks], updates.typed ? { type: Click } : {});
    const given = env.from("clicks", clicks as typeof clicks & { type: null }).parallelism(updates.sourceParallelism);
    const streams = [staged(given as unknown as Stream<Click>, updates)];
    for (const filter of updates.filters) streams.push(filtered(streams.at(-1)!, filter, updates));
    for (const [index, { after, takes, parallelism }] of updates.sinks.entries()) {
      streams[after]!.to(`out-${index}`, kept[index]!.sink(takes === "rows" ? undefined : takes)).parallelism(
        parallelism,
      );
    }
  });
  return { job: made, kept };
}

function staged(clicks: Stream<Click>, { stage, key, parallelism }: Updates): Stream<Row> {
  const isTimed = stage !== "aggregate" && stage !== "reduce";
  const timed = isTimed ? clicks.eventTime({ at: "at", unit: "ms" }) : clicks;
  const byUser = () => timed.keyBy("user");
  const keyed = {
    field: byUser,
    fields: () => timed.keyBy("user", "half") as unknown as ReturnType<typeof byUser>,
    function: () => timed.keyBy(({ user }) => user, t.string) as unknown as ReturnType<typeof byUser>,
  }[key]();
  const rows = isTimed
    ? keyed.window(WINDOWS[stage]).allowLate("1000d").aggregate({ n: count() })
    : stage === "aggregate"
      ? keyed.aggregate({ n: count() })
      : keyed.reduce("folded", (left, right) => ({ ...right, n: left.n + right.n }));
  return rows.parallelism(parallelism) as unknown as Stream<Row>;
}

function filtered(rows: Stream<Row>, filter: Filter, updates: Updates): Stream<Row> {
  const { by, than, parallelism, chaining } = filter;
  const field = keyField(updates);
  const condition = (by === "key" ? col(field).ne(`u${than}`) : col("n").gt(than)) as Expr<boolean, never>;
  const passed = by === "function" ? rows.filter((row) => passes(filter, row, field)) : rows.filter(condition);
  const placed = passed.parallelism(parallelism);
  return chaining === "never" ? placed.disableChaining() : placed;
}

// ------------------------------------------------------------------ what it means

const keyField = ({ key, stage }: Updates): string => (key === "function" && stage !== "reduce" ? "key" : "user");

/** Null: it is not known. */
function keyFieldsOf(updates: Updates): readonly string[] | null {
  const { key, stage } = updates;
  if (key === "function" && stage === "reduce") return null;
  const own = key === "fields" ? ["user", "half"] : [keyField(updates)];
  return stage === "aggregate" || stage === "reduce" ? own : [...own, "start", "end"];
}

function passes({ by, than }: Filter, row: Row, field: string): boolean {
  if (by === "key") return row[field] !== `u${than}`;
  return by === "expression" ? row.n > than : row.n % 3 !== than % 3;
}

/** Whether a sink cannot be given what it would get. */
function isRefused(updates: Updates, { after, takes, parallelism }: SinkOf): boolean {
  const key = keyFieldsOf(updates);
  const path = [updates, ...updates.filters.slice(0, after), { parallelism }].map((each) => each.parallelism);
  const isSpread = path.some((to, index) => index > 0 && to !== 1 && to !== path[index - 1]);
  if (takes !== "rows") return isSpread || (takes === "upsert" && key === null);
  const isAsked = (filter: number): boolean =>
    updates.sinks.some((sink) => sink.after > filter && sink.takes !== "rows");
  const isSafe = (filter: number): boolean => {
    const before = path.slice(0, filter + 2); // The key is known where the filter stands.
    return (
      updates.filters[filter]!.by === "key" &&
      key !== null &&
      !before.some((to, at) => at > 0 && to !== 1 && to !== before[at - 1])
    );
  };
  const deletes = updates.filters.slice(0, after).some((_, filter) => isAsked(filter) && !isSafe(filter));
  return updates.stage === "session" || deletes;
}

type Interpreted = ReadonlyMap<string, Row>;

const keyOf = (updates: Updates, row: Row): string =>
  (keyFieldsOf(updates) ?? ["user"]).map((field) => String(row[field])).join();

/** The last row of each key. */
function interpreted(updates: Updates): Interpreted {
  const { key, clicks, stage } = updates;
  const groups = Map.groupBy(clicks, ({ user, half }) => (key === "fields" ? `${user},${half}` : user));
  const rows = [...groups.values()].flatMap((group) => {
    const { user, half } = group[0]!;
    const own = key === "fields" ? { user, half } : { [keyField(updates)]: user };
    return windowsOf(stage, group).map((window) => ({ ...own, ...window }));
  });
  return new Map(rows.map((row) => [keyOf(updates, row), row]));
}

function windowsOf(stage: Stage, clicks: readonly Click[]): { readonly n: number }[] {
  if (stage === "aggregate" || stage === "reduce") return [{ n: clicks.length }];
  const times = clicks.map(({ at }) => at).sort((left, right) => left - right);
  if (stage === "session") return sessionsOf(times);
  const starts = times.flatMap((at) => {
    const start = Math.floor(at / SIZE_MS) * SIZE_MS;
    return stage === "sliding" ? [start - SIZE_MS, start] : [start];
  });
  const length = stage === "sliding" ? 2 * SIZE_MS : SIZE_MS;
  return [...Map.groupBy(starts, (start) => start)].map(([start, { length: n }]) => ({
    start,
    end: start + length,
    n,
  }));
}

function sessionsOf(times: readonly number[]): { start: number; end: number; n: number }[] {
  const sessions: { start: number; end: number; n: number }[] = [];
  for (const at of times) {
    const last = sessions.at(-1);
    if (last !== undefined && at <= last.end) {
      last.end = at + GAP_MS;
      last.n += 1;
    } else sessions.push({ start: at, end: at + GAP_MS, n: 1 });
  }
  return sessions;
}

// ------------------------------------------------------------------ both

/** Takes out sinks until none is refused; the job is refused for as long as one is. */
async function accepted(drawn: Updates): Promise<Updates> {
  let updates = drawn;
  for (;;) {
    const refused = updates.sinks.findIndex((sink) => isRefused(updates, sink));
    const built = jobBuild(declared(used(updates)).job, {}, { ...BUILD_DEFAULTS, parallelism: updates.parallelism });
    if (refused < 0) {
      await built;
      return used(updates);
    }
    await assert.rejects(built, { code: "CHANGELOG_NOT_TAKEN" }, JSON.stringify({ ...updates, clicks: [] }));
    updates = { ...updates, sinks: updates.sinks.filter((_, index) => index !== refused) };
  }
}

/** Without filters that lead to no sink. */
function used(updates: Updates): Updates {
  const last = Math.max(...updates.sinks.map(({ after }) => after));
  return { ...updates, filters: updates.filters.slice(0, last) };
}

function check(updates: Updates, { after, takes }: SinkOf, { got, keys }: ChangesKept<Row>): void {
  const filters = updates.filters.slice(0, after);
  const field = keyField(updates);
  const isPassed = (row: Row): boolean => filters.every((filter) => passes(filter, row, field));
  const last = interpreted(updates);
  const rows = [...last.values()].filter(isPassed);
  if (takes === "rows") {
    checkRows(updates, got, { last, isPassed });
    return;
  }
  if (takes === "upsert") assert.deepEqual(new Set(keys.map(String)), new Set([String(keyFieldsOf(updates))]));
  const stored = new Map<string, Row>();
  for (const { kind, row } of got) {
    assert.ok(kind !== 1, "nobody takes anything back");
    if (kind === 3) stored.delete(keyOf(updates, row));
    else stored.set(keyOf(updates, row), row);
  }
  const text = (each: Iterable<Row>): string[] => [...each].map((row) => `${keyOf(updates, row)}: ${row.n}`).sort();
  assert.deepEqual(text(stored.values()), text(rows));
}

/** Each update as a row of its own. Which of them windows give depends on when their watermarks come. */
function checkRows(
  updates: Updates,
  got: readonly Change<Row>[],
  { last, isPassed }: { readonly last: Interpreted; readonly isPassed: (row: Row) => boolean },
): void {
  const isRunning = updates.stage === "aggregate" || updates.stage === "reduce";
  const byKey = Map.groupBy(got, ({ row }) => keyOf(updates, row));
  for (const [key, row] of last) {
    const counts = (byKey.get(key) ?? []).map((change) => change.row.n).sort((left, right) => left - right);
    const all = Array.from({ length: row.n }, (_, n) => n + 1).filter((n) => isPassed({ ...row, n }));
    if (isRunning) assert.deepEqual(counts, all, key);
    else {
      assert.deepEqual(
        counts.filter((n) => !all.includes(n)),
        [],
        key,
      );
      assert.equal(counts.includes(row.n), all.includes(row.n), key);
    }
    byKey.delete(key);
  }
  assert.deepEqual([...byKey.keys()], []);
}

export async function updatesScenario(seed: number): Promise<Simulation> {
  const updates = await accepted(updatesOf(seed));
  const { job: made, kept } = declared(updates);
  const { parallelism } = updates;
  const simulation = await simulateJob(made, { seed, parallelism, realLinks: seed % 5 === 0 });
  if (simulation.error !== null) throw simulation.error;
  for (const [index, sink] of updates.sinks.entries()) {
    try {
      check(updates, sink, kept[index]!);
    } catch (error) {
      throw new Error(`sink ${index} of ${JSON.stringify({ ...updates, clicks: updates.clicks.length })}`, {
        cause: error,
      });
    }
  }
  return simulation;
}
