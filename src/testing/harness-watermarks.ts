// The watermarks that a harness has between its records: those that the job's `eventTime` would make of their times, in
// a run that reads one record at a time.
//
//   H1. Where watermarks keep their places among records (graph/watermark-steps.ts), one comes only when event time has
//       gone on by a step: no run promises more. Elsewhere one comes before every record that is newer than all others.
//   H2. None come by an input that has no `eventTime`, or whose records have passed an operator that holds them back
//       since: the test says them.

import type { Plan, PlanEdge, PlanOperator } from "../graph/plan.ts";
import { STATELESS } from "../graph/time-order.ts";
import { carriesMarks, type EventTimeStep, stepMs } from "../graph/watermark-steps.ts";
import { WatermarkCombiner } from "../operators/event-time/watermark-combiner.ts";
import { WatermarkGenerator } from "../operators/event-time/watermark-generator.ts";

type InputTime = { readonly generator: WatermarkGenerator; readonly stepMs: number };

export class HarnessWatermarks {
  readonly #inputs: readonly (InputTime | null)[];
  readonly #combiner: WatermarkCombiner;

  constructor(plan: Plan, uid: string) {
    const edges = plan.edges.filter(({ to }) => to === uid);
    const ports = Math.max(1, ...edges.map(({ input }) => input + 1));
    this.#inputs = Array.from({ length: ports }, (_, port) =>
      inputTime(
        plan,
        edges.filter(({ input }) => input === port),
      ),
    );
    this.#combiner = new WatermarkCombiner(ports);
  }

  /** How far event time has come before a record of that time. */
  before(timeMs: number, port: number): number {
    const input = this.#inputs[port] ?? null;
    if (input === null || Number.isNaN(timeMs)) return this.#combiner.watermark;
    input.generator.observe(timeMs);
    if (timeMs >= input.generator.current.nextStepMs) {
      this.#combiner.onWatermark(port, input.generator.reached(input.stepMs));
    }
    return this.#combiner.watermark;
  }
}

/** Null: nothing makes watermarks of the records of this input (H2). */
function inputTime(plan: Plan, edges: readonly PlanEdge[]): InputTime | null {
  const eventTimes = edges.map((edge) => eventTimesBefore(plan, edge));
  const found = eventTimes.flatMap((one) => one ?? []);
  if (plan.mode === "batch" || eventTimes.includes(null) || found.length === 0) return null;
  const options = found.map((operator) => operator.options as EventTimeStep);
  const isMarked = edges.some((edge) => carriesMarks(plan, edge));
  return {
    generator: new WatermarkGenerator({
      outOfOrderMs: Math.max(...options.map(({ outOfOrderMs }) => outOfOrderMs)),
      idleMs: Infinity,
    }),
    stepMs: isMarked ? Math.max(...options.map(stepMs)) : 0,
  };
}

/** The nearest ones on every way to an edge; null when some way has none, or holds records back. */
function eventTimesBefore(plan: Plan, edge: PlanEdge): PlanOperator[] | null {
  const found: PlanOperator[] = [];
  const open = [edge.from];
  for (let uid = open.pop(); uid !== undefined; uid = open.pop()) {
    const operator = plan.operators.find((candidate) => candidate.uid === uid);
    if (operator?.kind === "eventTime") {
      found.push(operator);
      continue;
    }
    if (operator === undefined || operator.kind === "source" || !STATELESS.has(operator.kind)) return null;
    open.push(...plan.edges.filter(({ to }) => to === uid).map(({ from }) => from));
  }
  return found;
}
