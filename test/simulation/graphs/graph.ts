// Random jobs with checkpoints, as plain data: what they do is the same whatever the order in which records arrive, so
// that their committed output can be compared with what an interpreter of one thread gives.

import type { SeededRandom } from "../../../src/base/seeded-random.ts";

/** `at`: event time. */
export type Row = { readonly id: number; readonly tag: string; readonly at: number };

export type GraphSource = {
  readonly kind: "numbers" | "files";
  readonly rows: number;
  /** Of a source of numbers: nobody knows that it ends, so that the job commits with each checkpoint. */
  readonly endless: boolean;
  /** Per second; null: as fast as possible. */
  readonly rate: number | null;
  /** Milliseconds by which records may be out of order. */
  readonly disorder: number;
};

/** How records come to an operator that has no key. */
export type Route = "forward" | "rebalance" | "rescale" | "global" | "partitionBy";

export type GraphOperator =
  | { readonly kind: "map"; readonly by: number; readonly typed: boolean }
  | { readonly kind: "filter"; readonly modulus: number }
  | { readonly kind: "repeat" | "generate"; readonly times: number }
  /** Each record goes to all of so many subtasks. */
  | { readonly kind: "broadcast"; readonly times: number }
  | { readonly kind: "union"; readonly with: number }
  | { readonly kind: "count"; readonly modulus: number }
  /** A timer for each record; rows when it fires. */
  | { readonly kind: "timers"; readonly modulus: number; readonly afterMs: number }
  /** Every third record goes to a side output, which has a sink. */
  | { readonly kind: "split"; readonly modulus: number }
  | { readonly kind: "tumbling"; readonly modulus: number; readonly sizeMs: number }
  | { readonly kind: "sliding"; readonly modulus: number; readonly slideMs: number; readonly slides: number }
  | { readonly kind: "session"; readonly modulus: number; readonly gapMs: number }
  /** Event time anew, with nothing out of order: some records come too late for a window that has been given. */
  | { readonly kind: "late"; readonly modulus: number; readonly sizeMs: number; readonly latenessMs: number };

export type GraphNode = {
  readonly from: number;
  readonly operator: GraphOperator;
  readonly route: Route;
  readonly parallelism: number | null;
  readonly group: string | null;
  readonly chaining: "always" | "head" | "never";
  /** Its stream has a sink of its own, also when others read it. */
  readonly tapped: boolean;
};

/** Streams 0 … sources-1 are sources; each node makes a further one. Streams that nobody reads end in sinks. */
export type Graph = { readonly sources: readonly GraphSource[]; readonly nodes: readonly GraphNode[] };

const NODES_MAX = 6;
const ROWS_MAX = 160;
/** Rows of one stream, about. */
const STREAM_MAX = 1_500;
const STEP_MS = 10;
const START_MS = 1_000;

export function graphOf(random: SeededRandom, halvings: number): Graph {
  const isEndless = random.next() < 0.5;
  const sources = Array.from({ length: 1 + random.below(2) }, (_, index): GraphSource => {
    const files = random.next() < 0.3;
    return {
      kind: files && !(isEndless && index === 0) ? "files" : "numbers",
      rows: (1 + random.below(ROWS_MAX)) >> halvings,
      endless: isEndless && index === 0,
      rate: random.next() < 0.7 ? 100 + random.below(900) : null,
      disorder: random.below(4) * random.below(40),
    };
  });
  const sizes = sources.map(({ rows }) => rows);
  const nodes: GraphNode[] = [];
  const closed = new Set<number>();
  for (let count = 1 + random.below(NODES_MAX); count > 0; count -= 1) {
    const streams = sizes.length;
    const open = Array.from({ length: streams }, (_, index) => index).filter((index) => !closed.has(index));
    const from = random.next() < 0.6 ? open.at(-1)! : open[random.below(open.length)]!;
    const other = open[random.below(open.length)]!;
    const operator = operatorOf(random, other);
    const size = sizeOf(operator, sizes[from]!, sizes[other]!);
    if (size > STREAM_MAX) continue;
    if (operator.kind === "late") closed.add(streams);
    sizes.push(size);
    nodes.push({ from, operator, ...settingsOf(random, operator) });
  }
  return { sources, nodes };
}

function settingsOf(random: SeededRandom, operator: GraphOperator): Omit<GraphNode, "from" | "operator"> {
  const routes = ["rebalance", "rescale", "global", "partitionBy"] as const;
  return {
    route: random.next() < 0.6 ? "forward" : routes[random.below(routes.length)]!,
    parallelism: operator.kind !== "union" && random.next() < 0.3 ? 1 + random.below(4) : null,
    group: random.next() < 0.1 ? `g${random.below(2)}` : null,
    chaining: (["always", "always", "always", "head", "never"] as const)[random.below(5)]!,
    tapped: random.next() < 0.15,
  };
}

function operatorOf(random: SeededRandom, other: number): GraphOperator {
  const modulus = 1 + random.below(9);
  switch (random.below(13)) {
    case 0:
      return { kind: "map", by: 1 + random.below(9), typed: random.next() < 0.5 };
    case 1:
      return { kind: "filter", modulus: 2 + random.below(4) };
    case 2:
      return { kind: "repeat", times: random.below(4) };
    case 3:
      return { kind: "generate", times: random.below(4) };
    case 4:
      return { kind: "broadcast", times: 1 + random.below(3) };
    case 5:
      return { kind: "union", with: other };
    case 6:
      return { kind: "count", modulus };
    case 7:
      return { kind: "timers", modulus, afterMs: random.below(200) };
    case 8:
      return { kind: "split", modulus };
    case 9:
      return { kind: "tumbling", modulus, sizeMs: 1 + random.below(300) };
    case 10:
      return { kind: "sliding", modulus, slideMs: 20 + random.below(100), slides: 1 + random.below(4) };
    case 11:
      return { kind: "session", modulus, gapMs: 1 + random.below(80) };
    default:
      return { kind: "late", modulus, sizeMs: 1 + random.below(150), latenessMs: random.below(3) * random.below(200) };
  }
}

function sizeOf(operator: GraphOperator, size: number, other: number): number {
  switch (operator.kind) {
    case "repeat":
    case "generate":
    case "broadcast":
      return size * operator.times;
    case "sliding":
      return size * operator.slides;
    case "union":
      return size + other;
    default:
      return size;
  }
}

/** The graph without some of its operators: who read them reads what they read. */
export function graphWithout({ sources, nodes }: Graph, removed: readonly number[]): Graph {
  const places: number[] = sources.map((_, index) => index);
  const kept: GraphNode[] = [];
  for (const [index, node] of nodes.entries()) {
    if (removed.includes(index)) {
      places.push(places[node.from]!);
      continue;
    }
    const { operator } = node;
    const own = operator.kind === "union" ? { ...operator, with: places[operator.with]! } : operator;
    places.push(sources.length + kept.length);
    kept.push({ ...node, operator: own, from: places[node.from]! });
  }
  return { sources, nodes: kept };
}

/** Streams that have sinks. */
export function sinksOf({ sources, nodes }: Graph): number[] {
  const read = new Set(nodes.flatMap(({ from, operator }) => [from, ...withOf(operator)]));
  return Array.from({ length: sources.length + nodes.length }, (_, index) => index).filter(
    (index) => !read.has(index) || nodes[index - sources.length]?.tapped === true,
  );
}

function withOf(operator: GraphOperator): number[] {
  return operator.kind === "union" ? [operator.with] : [];
}

/** A sink that shows what is read of a source. */
export const tapOf = (source: number): string => `read-${source}`;

/** The records of a source, out of order by what is allowed. */
export function recordOf(source: number, { disorder }: GraphSource, index: number): Row {
  const moved = disorder === 0 ? 0 : ((index * 7_919) % 97) % disorder;
  return { id: index, tag: `s${source}`, at: START_MS + index * STEP_MS - moved };
}
