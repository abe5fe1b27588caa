// Random small jobs, run by the engine and by a naive interpreter of one thread: the outputs are equal as multisets.
//
// A job is drawn as plain data (so that it can be printed and interpreted), then declared through the public API.
// Functions depend on their record alone; the keyed function counts per key, which no order of arrival changes.

import assert from "node:assert/strict";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { collection } from "../../src/connectors/collection/index.ts";
import { count, type Job, job, max, type Sink, type Stream, state, t, tumbling } from "../../src/index.ts";
import { type Simulation, simulateJob } from "../../src/testing/simulate-job.ts";

type Row = { readonly id: number; readonly tag: string };

type Step =
  | { readonly kind: "map" | "grow"; readonly by: number }
  | { readonly kind: "filter"; readonly modulus: number }
  | { readonly kind: "repeat" | "generate"; readonly times: number }
  | { readonly kind: "rebalance" | "rescale" | "broadcast" | "global" | "partitionBy" }
  | { readonly kind: "count"; readonly modulus: number }
  /** Of batch jobs. */
  | { readonly kind: "aggregate"; readonly modulus: number }
  | { readonly kind: "window"; readonly modulus: number; readonly size: number }
  /** Joins the stream of that index. */
  | { readonly kind: "union"; readonly with: number };

type Settings = {
  readonly parallelism: number | null;
  readonly group: string | null;
  readonly chaining: "always" | "head" | "never";
};
type Node = { readonly from: number; readonly step: Step; readonly settings: Settings };

/** Streams 0 … sources-1 are sources; each node makes a further one. Streams that nobody reads end in sinks. */
export type Graph = {
  readonly batch: boolean;
  readonly sources: readonly { readonly rows: number; readonly settings: Settings }[];
  readonly nodes: readonly Node[];
};

const NODES_MAX = 9;
/** Rows that a sink takes until it has to flush: few, so that tasks are often stopped in the middle of something. */
const SINK_ROOM = 7;
/** More than one record of any drawn graph turns into. */
const OVERDRAFT = 100;

export function graphOf(seed: number): Graph {
  const random = new SeededRandom(seed ^ 0x6ea9);
  const batch = random.next() < 0.3;
  const plain = random.next() < 0.4; // Long chains, in which one operator's records stop another.
  const sources = Array.from({ length: 1 + random.below(2) }, () => ({
    rows: random.next() < 0.1 ? 0 : 1 + random.below(200),
    settings: settingsOf(random, plain),
  }));
  const nodes: Node[] = [];
  const count = 1 + random.below(NODES_MAX);
  for (let i = 0; i < count; i += 1) {
    const streams = sources.length + nodes.length;
    const step = stepOf(random, streams, batch);
    const from = random.next() < 0.6 ? streams - 1 : random.below(streams);
    nodes.push({ from, step, settings: settingsOf(random, plain || isPartitioning(step)) });
  }
  return { batch, sources, nodes };
}

/** What has no operator of its own has no settings, either. */
const isPartitioning = ({ kind }: Step): boolean =>
  ["rebalance", "rescale", "broadcast", "global", "partitionBy", "union"].includes(kind);

function settingsOf(random: SeededRandom, none: boolean): Settings {
  if (none) return { parallelism: null, group: null, chaining: "always" };
  return {
    parallelism: random.next() < 0.4 ? 1 + random.below(4) : null,
    group: random.next() < 0.15 ? `g${random.below(2)}` : null,
    chaining: (["always", "always", "always", "head", "never"] as const)[random.below(5)]!,
  };
}

function stepOf(random: SeededRandom, streams: number, batch: boolean): Step {
  if (batch && random.next() < 0.3) return { kind: "aggregate", modulus: 1 + random.below(30) };
  const draw = random.below(17);
  if (draw > 14) return { kind: "window", modulus: 1 + random.below(9), size: 1 + random.below(60) };
  if (draw > 12) return { kind: draw === 13 ? "repeat" : "generate", times: 2 };
  if (draw < 2) return { kind: "map", by: 1 + random.below(9) };
  if (draw === 2) return { kind: "grow", by: 1 + random.below(400) };
  if (draw === 3) return { kind: "filter", modulus: 2 + random.below(4) };
  if (draw === 4) return { kind: "repeat", times: random.below(4) };
  if (draw === 5) return { kind: "generate", times: random.below(4) };
  if (draw < 8) return { kind: "count", modulus: 1 + random.below(9) };
  if (draw === 8) return { kind: "union", with: random.below(streams) };
  const kinds = ["rebalance", "rescale", "broadcast", "global", "partitionBy"] as const;
  return { kind: kinds[random.below(kinds.length)]! };
}

const rowsOf = (source: number, count: number): Row[] =>
  Array.from({ length: count }, (_, id) => ({ id, tag: `s${source}` }));

/** The functions of a step, for the engine and the interpreter alike. */
function* expand(step: Step, row: Row): Generator<Row> {
  const times = step.kind === "repeat" || step.kind === "generate" ? step.times : 1;
  for (let i = 0; i < times; i += 1) yield { id: row.id, tag: `${row.tag}.${i}` };
}
const mapped = (by: number, row: Row): Row => ({ id: row.id + by, tag: `${row.tag}m` });
const grown = (by: number, row: Row): Row => ({ id: row.id, tag: row.tag + "x".repeat(by) });

const Counted = t.struct({ id: t.f64, tag: t.string });

type Declared = {
  readonly stream: Stream<Row>;
  readonly partitioned: boolean;
  /** A partitioned stream before it was. */
  readonly plain?: Stream<Row>;
};

/** The job, and what its sinks received. */
function declare(graph: Graph): { job: Job; received: Row[] } {
  const received: Row[] = [];
  const declared = job({ name: "random", mode: graph.batch ? "batch" : "stream" }, (env) => {
    const streams: Declared[] = graph.sources.map(({ rows, settings }, index) => {
      const stream = env.from(`source-${index}`, collection(rowsOf(index, rows)));
      return { stream: set(stream as unknown as Stream<Row>, settings), partitioned: false };
    });
    for (const [index, node] of graph.nodes.entries())
      streams.push(apply(node, { index, batch: graph.batch }, streams));
    for (const index of leaves(graph)) streams[index]!.stream.to(`sink-${index}`, sinkInto(received));
  });
  return { job: declared, received };
}

function leaves(graph: Graph): number[] {
  const read = new Set(graph.nodes.flatMap(({ from, step }) => (step.kind === "union" ? [from, step.with] : [from])));
  return Array.from({ length: graph.sources.length + graph.nodes.length }, (_, index) => index).filter(
    (index) => !read.has(index),
  );
}

type Place = { readonly index: number; readonly batch: boolean };

function apply({ from, step, settings }: Node, { index, batch }: Place, streams: readonly Declared[]): Declared {
  const { stream } = streams[from]!;
  switch (step.kind) {
    case "map":
      return {
        stream: set(
          stream.map((row) => mapped(step.by, row)),
          settings,
        ),
        partitioned: false,
      };
    case "grow":
      return {
        stream: set(
          stream.map(Counted, (row) => grown(step.by, row)),
          settings,
        ),
        partitioned: false,
      };
    case "filter":
      return {
        stream: set(
          stream.filter((row) => row.id % step.modulus !== 0),
          settings,
        ),
        partitioned: false,
      };
    case "repeat":
      return {
        stream: set(
          stream.flatMap((row) => [...expand(step, row)]),
          settings,
        ),
        partitioned: false,
      };
    case "generate":
      return {
        stream: set(
          stream.flatMap((row) => expand(step, row)),
          settings,
        ),
        partitioned: false,
      };
    case "count":
      return { stream: set(counted(plainOf(streams[from]!), step.modulus, index), settings), partitioned: false };
    case "aggregate":
      return { stream: aggregated(plainOf(streams[from]!), { step, index, settings }), partitioned: false };
    case "window":
      return { stream: windowed(stream, { step, index, settings, batch }), partitioned: false };
    case "union":
      return united(stream, streams[step.with]!);
    case "partitionBy":
      return distributed(streams[from]!, (plain) => plain.partitionBy((row, subtasks) => row.id % subtasks));
    default: {
      const { kind } = step;
      return distributed(streams[from]!, (plain) => plain[kind]());
    }
  }
}

/** What says itself where records go takes the stream as it was before another did: that would have no effect. */
function plainOf({ stream, plain }: Declared): Stream<Row> {
  return plain ?? stream;
}

function distributed(from: Declared, distribute: (plain: Stream<Row>) => Stream<Row>): Declared {
  const plain = plainOf(from);
  return { stream: distribute(plain), partitioned: true, plain };
}

/** A union of partitioned streams has no meaning of its own: they are united behind an operator each. */
function united(left: Stream<Row>, right: Declared): Declared {
  const plain = (stream: Stream<Row>): Stream<Row> => stream.filter(() => true);
  return { stream: plain(left).union(plain(right.stream)), partitioned: false };
}

function counted(stream: Stream<Row>, modulus: number, index: number): Stream<Row> {
  return stream
    .keyBy((row) => row.id % modulus, t.f64)
    .process({
      uid: `count-${index}`,
      out: Counted,
      state: { count: state.value(t.f64, { init: () => 0 }) },
      onRecord(_row, ctx) {
        const count = ctx.state.count.get() + 1;
        ctx.state.count.set(count);
        ctx.emit({ id: count, tag: `k${ctx.key}` });
      },
    }) as unknown as Stream<Row>;
}

type AggregateStep = Extract<Step, { kind: "aggregate" }>;

function aggregated(
  stream: Stream<Row>,
  { step, index, settings }: { step: AggregateStep; index: number; settings: Settings },
): Stream<Row> {
  const totals = stream
    .keyBy((row) => row.id % step.modulus, t.f64)
    .aggregate({ n: count(), high: max("id") })
    .uid(`aggregate-${index}`);
  return set(totals as unknown as Stream<Row>, settings).map(Counted, (row) =>
    aggregateRow(row as unknown as Parameters<typeof aggregateRow>[0]),
  );
}

function aggregateRow({ key, n, high }: { readonly key: number; readonly n: number; readonly high: number }): Row {
  return { id: n, tag: `a${key}:${high}` };
}

type WindowStep = Extract<Step, { kind: "window" }>;

/** Event times are the ids, in any order: nothing is late. What is set is set for their operator. */
function windowed(
  stream: Stream<Row>,
  { step, index, settings, batch }: Place & { step: WindowStep; settings: Settings },
): Stream<Row> {
  const at = { at: (row: Row) => row.id, unit: "ms" } as const;
  const timed = set(stream.eventTime(batch ? at : { ...at, outOfOrder: "1000d" }), settings);
  return timed
    .keyBy((row) => row.id % step.modulus, t.f64)
    .window(tumbling(`${step.size}ms`))
    .aggregate({ n: count(), high: max("id") })
    .uid(`window-${index}`)
    .map(Counted, ({ key, start, n, high }) => windowRow({ key, start, n, high }));
}

function windowRow({ key, start, n, high }: { key: number; start: number; n: number; high: number }): Row {
  return { id: n, tag: `w${key}@${start}:${high}` };
}

function set(stream: Stream<Row>, { parallelism, group, chaining }: Settings): Stream<Row> {
  let result = stream;
  if (parallelism !== null) result = result.parallelism(parallelism);
  if (group !== null) result = result.slotGroup(group);
  if (chaining === "head") result = result.startNewChain();
  if (chaining === "never") result = result.disableChaining();
  return result;
}

function sinkInto(received: Row[]): Sink<Row> {
  return {
    kind: "test",
    guarantee: "at-least-once",
    describe: () => ({}),
    createWriter: ({ env }) => {
      let room = SINK_ROOM;
      return {
        open: async () => undefined,
        write: (row) => {
          received.push(row);
          room -= 1;
          assert.ok(room > -OVERDRAFT, "K1: the task goes on writing to a sink that is full");
          return room > 0;
        },
        flush: () =>
          new Promise((resolve) => {
            env.timers.after(1, () => {
              room = SINK_ROOM;
              resolve();
            });
          }),
        prepareCommit: async () => [],
        abort: async () => undefined,
        close: async () => undefined,
      };
    },
  };
}

/**
 * What the job means: every stream as a list. A broadcast multiplies by the parallelism of each reader, so `readers`
 * says which.
 */
function interpret(graph: Graph, parallelismOf: (stream: number) => number): Row[] {
  const sourceCount = graph.sources.length;
  const streams: Row[][] = graph.sources.map(({ rows }, index) => rowsOf(index, rows));
  const broadcasts = new Set<number>();
  const read = (stream: number, reader: number): Row[] => {
    // keyBy decides anew where records go.
    const keyed = ["count", "aggregate"].includes(graph.nodes[reader - sourceCount]?.step.kind ?? "");
    if (keyed || !broadcasts.has(stream)) return streams[stream]!;
    return Array.from({ length: parallelismOf(reader) }, () => streams[stream]!).flat();
  };
  for (const [index, { from, step }] of graph.nodes.entries()) {
    const self = sourceCount + index;
    if (isPartitioning(step) && step.kind !== "union") {
      streams.push(streams[from]!);
      // The last partitioning before a reader is the one that counts.
      if (step.kind === "broadcast") broadcasts.add(self);
      continue;
    }
    const input = step.kind === "union" ? [...read(from, -1), ...read(step.with, -1)] : read(from, self);
    streams.push(interpretStep(step, input));
  }
  return leaves(graph).flatMap((leaf) => read(leaf, -1));
}

function interpretStep(step: Step, input: readonly Row[]): Row[] {
  switch (step.kind) {
    case "map":
      return input.map((row) => mapped(step.by, row));
    case "grow":
      return input.map((row) => grown(step.by, row));
    case "filter":
      return input.filter((row) => row.id % step.modulus !== 0);
    case "repeat":
    case "generate":
      return input.flatMap((row) => [...expand(step, row)]);
    case "count": {
      const counts = new Map<number, number>();
      return input.map((row) => {
        const key = row.id % step.modulus;
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        return { id: count, tag: `k${key}` };
      });
    }
    case "aggregate": {
      const groups = Map.groupBy(input, ({ id }) => id % step.modulus);
      return [...groups].map(([key, rows]) =>
        aggregateRow({ key, n: rows.length, high: Math.max(...rows.map(({ id }) => id)) }),
      );
    }
    case "window":
      return interpretWindow(step, input);
    default:
      return [...input];
  }
}

function interpretWindow({ modulus, size }: WindowStep, input: readonly Row[]): Row[] {
  const groups = Map.groupBy(input, ({ id }) => `${id % modulus} ${Math.floor(id / size) * size}`);
  return [...groups].map(([group, rows]) => {
    const [key, start] = group.split(" ").map(Number) as [number, number];
    return windowRow({ key, start, n: rows.length, high: Math.max(...rows.map(({ id }) => id)) });
  });
}

const sorted = (rows: readonly Row[]): string[] => rows.map((row) => `${row.id} ${row.tag}`).sort();

/** Runs the graph of the seed; throws when the engine's output differs from the interpreter's. */
export async function randomGraphScenario(seed: number): Promise<Simulation> {
  const graph = graphOf(seed);
  const { job: declared, received } = declare(graph);
  const parallelism = 1 + (seed % 3);
  const simulation = await simulateJob(declared, { seed, parallelism, realLinks: seed % 5 === 0 });
  const parallelismOf = (stream: number): number => {
    const node = graph.nodes[stream - graph.sources.length];
    return node?.settings.parallelism ?? parallelism;
  };
  if (simulation.error !== null) throw simulation.error;
  assert.deepEqual(sorted(received), sorted(interpret(graph, parallelismOf)), JSON.stringify(graph));
  return simulation;
}
