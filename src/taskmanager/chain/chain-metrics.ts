// The metrics of a chain's operators, by Flink's names.
//
// The loop counts once per record and output, and nothing else: what an operator gets is what the one before it gave,
// so that most metrics here are further definitions of numbers that are written anyway (M4 of metric-registry.ts).

import type { JobVertex } from "../../graph/job-graph.ts";
import { canBeLate } from "../../graph/plan.ts";
import type { MetricScope } from "../../metrics/metric-registry.ts";

type Exchange = { readonly from: string; readonly output: string };

export type CountedOutput = { readonly operator: string; readonly output: string };

/** The outputs whose records the loop counts: all main ones in the order of the chain, then side outputs in use. */
export function countedOutputs(vertex: JobVertex, exchanges: readonly Exchange[]): readonly CountedOutput[] {
  const isRead = (operator: string, output: string): boolean =>
    [...vertex.chained, ...exchanges].some((edge) => edge.from === operator && edge.output === output);
  return [
    ...vertex.operators.map(({ uid }) => ({ operator: uid, output: "" })),
    ...vertex.operators.flatMap(({ uid, sides }) =>
      sides.filter(({ name }) => isRead(uid, name)).map(({ name }) => ({ operator: uid, output: name })),
    ),
  ];
}

/** An operator that watermarks come to; `passes`: they also leave it. */
export type WatermarkMember = { readonly index: number; readonly passes: boolean };

export type ChainMetricsOptions = {
  readonly vertex: JobVertex;
  readonly exchanges: readonly Exchange[];
  /** Of an operator; null: of the task. */
  readonly scope: (operator: string | null) => MetricScope;
};

export class ChainMetrics {
  /** For the generated loop, in the order of `countedOutputs`. */
  readonly counts: Float64Array;
  readonly #options: ChainMetricsOptions;

  constructor(options: ChainMetricsOptions) {
    const { vertex, exchanges, scope } = options;
    this.#options = options;
    const outputs = countedOutputs(vertex, exchanges);
    this.counts = scope(null).counters(outputs.map(({ operator, output }) => ({ operator, name: outputName(output) })));
    this.#recordsIn();
    if (exchanges.length > 0)
      scope(null).alias(
        "counter",
        "numRecordsOut",
        exchanges.map(({ from, output }) => this.#countOf(from, output)),
      );
    this.#defineRare();
  }

  /**
   * Keeps the watermark that has passed operator `from` (null: that comes to the head) and reached `members`; an
   * operator that makes its own, the last on such a way, takes it in only. What it is after the end of the input,
   * Infinity, says less than how far event time had come: the last finite one stays.
   */
  watermark(from: number | null, members: readonly WatermarkMember[]): (watermark: number) => void {
    const { vertex, scope } = this.#options;
    const first = scope(vertex.operators[from ?? 0]?.uid ?? "");
    const isSource = vertex.operators[0]?.kind === "source";
    const index = first.index("gauge", from === null && !isSource ? "currentInputWatermark" : "currentOutputWatermark");
    if (index >= 0) first.values[index] = -Infinity;
    for (const member of members) {
      const own = scope(vertex.operators[member.index]?.uid ?? "");
      if (member.index > 0 || !isSource) own.alias("gauge", "currentInputWatermark", [index]);
      if (member.passes) own.alias("gauge", "currentOutputWatermark", [index]);
    }
    return (watermark: number): void => {
      if (index >= 0 && watermark !== Infinity) first.values[index] = watermark;
    };
  }

  #recordsIn(): void {
    const { vertex, scope } = this.#options;
    const [head] = vertex.operators;
    for (const { from, output, to } of vertex.chained)
      scope(to).alias("counter", "numRecordsIn", [this.#countOf(from, output)]);
    if (head === undefined) return;
    const own = head.kind === "source" ? this.#countOf(head.uid, "") : scope(null).index("counter", "numRecordsIn");
    scope(head.uid).alias("counter", "numRecordsIn", [own]);
  }

  #countOf(operator: string, output: string): number {
    return this.#options.scope(operator).index("counter", outputName(output));
  }

  /** What is counted seldom stands at 0 from the start, so that it is seen to be 0. */
  #defineRare(): void {
    const { vertex, scope } = this.#options;
    for (const operator of vertex.operators) {
      const { uid, kind, onError } = operator;
      if (kind === "source" || kind === "parse" || onError !== "fail") scope(uid).count("numRecordsInErrors", 0);
      if (canBeLate(operator)) scope(uid).count("numLateRecordsDropped", 0);
    }
  }
}

function outputName(output: string): string {
  return output === "" ? "numRecordsOut" : `numRecordsOut.${output}`;
}
