// A random graph as a job, through the public API. Its sinks are directories of files.

import {
  count,
  generate,
  type Job,
  job,
  jsonl,
  max,
  type Source,
  type Stream,
  session,
  sliding,
  state,
  t,
  tumbling,
} from "../../../src/index.ts";
import type { SimDisk } from "../../../src/testing/sim-disk.ts";
import {
  type Graph,
  type GraphNode,
  type GraphOperator,
  type GraphSource,
  type Row,
  recordOf,
  sinksOf,
  tapOf,
} from "./graph.ts";
import { countedRow, expanded, fired, isAside, keyOf, mapped, passes, seen, windowRow } from "./graph-rows.ts";

const RowType = t.struct({ id: t.f64, tag: t.string, at: t.f64 });

export type GraphJobOptions = {
  /** Called by user functions: may throw. */
  readonly pass: () => void;
  /** Rows in each part; null: any number. */
  readonly rollRows: number | null;
  /** Sources have sinks of their own. */
  readonly taps: boolean;
};

export function graphJob(graph: Graph, { pass, rollRows, taps }: GraphJobOptions): Job {
  return job({ name: "graph" }, (env) => {
    const write = (stream: Stream<Row>, name: string): void =>
      void stream.to(name, jsonl(`/out/${name}`, rollRows === null ? {} : { roll: { rows: rollRows } }));
    const streams: Stream<Row>[] = graph.sources.map((source, index) => {
      const read = env.from(`source-${index}`, sourceOf(source, index)) as unknown as Stream<Row>;
      if (taps) write(read, tapOf(index));
      if (!isTimed(graph, index)) return read;
      return read.eventTime({ at: (row) => row.at, outOfOrder: `${source.disorder}ms`, unit: "ms" });
    });
    for (const [index, node] of graph.nodes.entries()) {
      const from = streams[node.from]!;
      streams.push(applied({ node, from, streams, pass, write, name: `n${index}` }));
    }
    for (const index of sinksOf(graph)) write(streams[index]!, `s${index}`);
  });
}

/** Whether an operator behind the stream takes watermarks of its source: where none does, they are refused. */
function isTimed(graph: Graph, stream: number): boolean {
  return graph.nodes.some(({ from, operator }, index) => {
    if (from !== stream && !(operator.kind === "union" && operator.with === stream)) return false;
    if (operator.kind === "late") return false;
    return TIMED.has(operator.kind) || isTimed(graph, graph.sources.length + index);
  });
}

const TIMED: ReadonlySet<GraphOperator["kind"]> = new Set([
  "count",
  "timers",
  "split",
  "tumbling",
  "sliding",
  "session",
]);

const pathOf = (index: number): string => `/data/source-${index}.jsonl`;

export function graphInput({ sources }: Graph, disk: SimDisk): void {
  for (const [index, source] of sources.entries()) {
    if (source.kind !== "files") continue;
    const lines = Array.from({ length: source.rows }, (_, n) => `${JSON.stringify(recordOf(index, source, n))}\n`);
    disk.put(pathOf(index), lines.join(""));
  }
}

function sourceOf(source: GraphSource, index: number): Source<Row> {
  const { kind, rows, rate, endless } = source;
  if (kind === "files") return jsonl(pathOf(index), { type: RowType, splitSize: 1_000 }) as unknown as Source<Row>;
  const options = { type: RowType, ...(rate !== null && { rate }) };
  const numbers = generate(rows, (n) => recordOf(index, source, n), options);
  // It ends, and says that it does not: the output of the whole can be compared.
  return { ...numbers, bounded: !endless } as unknown as Source<Row>;
}

type Applied = {
  readonly node: GraphNode;
  readonly from: Stream<Row>;
  readonly streams: readonly Stream<Row>[];
  readonly pass: () => void;
  readonly write: (stream: Stream<Row>, name: string) => void;
  readonly name: string;
};

function applied(options: Applied): Stream<Row> {
  const { node, from, streams, pass } = options;
  const { operator } = node;
  switch (operator.kind) {
    case "map": {
      const map = (row: Row): Row => {
        pass();
        return mapped(operator.by, row);
      };
      return set(operator.typed ? routed(node, from).map(RowType, map) : routed(node, from).map(map), node);
    }
    case "filter":
      return set(
        routed(node, from).filter((row) => {
          pass();
          return passes(operator.modulus, row);
        }),
        node,
      );
    case "repeat":
      return set(
        routed(node, from).flatMap((row) => {
          pass();
          return [...expanded(operator.times, row)];
        }),
        node,
      );
    case "generate":
      return set(
        routed(node, from).flatMap((row) => expanded(operator.times, row)),
        node,
      );
    case "broadcast":
      return set(
        from.broadcast().map((row) => mapped(0, row)),
        { ...node, parallelism: operator.times },
      );
    case "union": {
      const plain = (stream: Stream<Row>): Stream<Row> => stream.filter(() => true);
      return plain(from).union(plain(streams[operator.with]!));
    }
    case "count":
    case "timers":
    case "split":
      return processed(options, operator);
    default:
      return windowed(options, operator);
  }
}

function routed({ route }: GraphNode, stream: Stream<Row>): Stream<Row> {
  if (route === "forward") return stream;
  if (route === "partitionBy") return stream.partitionBy((row, subtasks) => row.id % subtasks);
  return stream[route]();
}

function set(stream: Stream<Row>, { parallelism, group, chaining }: Omit<GraphNode, "from" | "operator">): Stream<Row> {
  let result = stream;
  if (parallelism !== null) result = result.parallelism(parallelism);
  if (group !== null) result = result.slotGroup(group);
  if (chaining === "head") result = result.startNewChain();
  if (chaining === "never") result = result.disableChaining();
  return result;
}

type Keyed = Extract<GraphOperator, { readonly kind: "count" | "timers" | "split" }>;

function processed({ node, from, pass, write, name }: Applied, operator: Keyed): Stream<Row> {
  const { modulus } = operator;
  const keyed = from.keyBy((row) => keyOf(modulus, row), t.f64);
  if (operator.kind === "timers") {
    const waiting = keyed.process({
      uid: name,
      out: RowType,
      state: { count: state.value(t.f64, { init: () => 0 }), rows: state.map(t.string, RowType) },
      onRecord(row, ctx) {
        pass();
        const count = ctx.state.count.get() + 1;
        ctx.state.count.set(count);
        ctx.state.rows.set(`${count}`, row);
        ctx.timers.set(`${count}`, row.at + operator.afterMs);
      },
      onTimer(timer, ctx) {
        const row = ctx.state.rows.get(timer.name);
        ctx.state.rows.delete(timer.name);
        ctx.emit(fired(row ?? { id: -1, tag: "gone", at: 0 }, timer.at));
      },
    });
    return set(waiting as unknown as Stream<Row>, node);
  }
  const aside = operator.kind === "split";
  const counted = keyed.process({
    uid: name,
    out: RowType,
    side: { more: RowType },
    state: { count: state.value(t.f64, { init: () => 0 }) },
    onRecord(row, ctx) {
      pass();
      const count = ctx.state.count.get() + 1;
      ctx.state.count.set(count);
      if (!aside) ctx.side.more(countedRow(ctx.key, count));
      else if (isAside(row)) {
        ctx.side.more(row);
        return;
      }
      ctx.emit(seen(row));
    },
  });
  write(counted.side.more as unknown as Stream<Row>, `${name}-side`);
  return set(counted as unknown as Stream<Row>, node);
}

type InWindows = Extract<GraphOperator, { readonly kind: "tumbling" | "sliding" | "session" | "late" }>;

function windowed({ node, from, write, name }: Applied, operator: InWindows): Stream<Row> {
  const isLate = operator.kind === "late";
  const timed = isLate ? from.eventTime({ at: (row) => row.at, outOfOrder: "0ms", unit: "ms" }) : from;
  const keyed = timed.keyBy((row) => keyOf(operator.modulus, row), t.f64);
  const windows = keyed.window(windowOf(operator));
  const kept = isLate && operator.latenessMs > 0 ? windows.allowLate(`${operator.latenessMs}ms`) : windows;
  const results = kept.aggregate({ n: count(), high: max("id") });
  if (isLate) write(results.side.late as unknown as Stream<Row>, `${name}-side`);
  const rows = results.uid(name).map(RowType, (result) => windowRow(result, operator.kind === "session"));
  return set(rows as unknown as Stream<Row>, node);
}

function windowOf(operator: InWindows) {
  switch (operator.kind) {
    case "sliding":
      return sliding(`${operator.slideMs * operator.slides}ms`, `${operator.slideMs}ms`);
    case "session":
      return session(`${operator.gapMs}ms`);
    default:
      return tumbling(`${operator.sizeMs}ms`);
  }
}
