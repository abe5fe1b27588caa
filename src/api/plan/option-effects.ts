// Settings of a job that would have no effect, whatever its input: refused at their lines.
//
//   E1. What depends on parameters, on the parallelism of a run or on what is on the disk is not refused, and neither
//       is an option that says what holds without it.

import { areStdin } from "../../base/disk.ts";
import { isInOrder } from "../../graph/plan.ts";
import type { Sink } from "../../operators/sink.ts";
import { withoutEffect } from "../../types/check-options.ts";
import type { PlanNode } from "./plan-node.ts";

export function checkEffects(nodes: readonly PlanNode[], mode: "stream" | "batch"): void {
  for (const node of nodes) {
    if (mode === "batch") checkNoWatermark(node);
    else if (node.kind === "eventTime") checkHeard(node, nodes);
    checkOneSubtask(node);
  }
}

/** What concerns watermarks, by the names of plan and API. */
const OF_WATERMARKS = {
  outOfOrderMs: "outOfOrder",
  idleMs: "idle",
  everyMs: "every",
  allowedLatenessMs: "allowLate",
  inTimeOrder: "inTimeOrder",
} as const;

/** Options as given, but for those that say what holds without them. */
function ofWatermarks({ options }: PlanNode): string[] {
  const given = options as Readonly<Record<string, unknown>> | null;
  return Object.entries(OF_WATERMARKS).flatMap(([field, name]) => (given?.[field] ? [name] : []));
}

/** There is no watermark before the end of a batch, so that nothing is late. */
function checkNoWatermark(node: PlanNode): void {
  const [name] = ofWatermarks(node);
  if (name === undefined) return;
  throw withoutEffect(
    name,
    'in a job with mode: "batch"',
    `leave ${name} out: there is no watermark before the end of the input, so that no record is late; or leave out mode: "batch"`,
    node.location,
  );
}

const HEARS_WATERMARKS: ReadonlySet<PlanNode["kind"]> = new Set(["window", "process"]);

/** Watermarks are for windows, functions with timers and `inOrder`, up to the next `eventTime`. */
function checkHeard(eventTime: PlanNode, nodes: readonly PlanNode[]): void {
  const [name] = ofWatermarks(eventTime);
  if (name === undefined) return;
  const open = [eventTime];
  const seen = new Set(open);
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const node of nodes) {
      if (seen.has(node) || !node.inputs.some(({ from }) => from === at)) continue;
      if (HEARS_WATERMARKS.has(node.kind) || isInOrder(node)) return;
      seen.add(node);
      if (node.kind !== "eventTime") open.push(node);
    }
  }
  throw withoutEffect(
    name,
    "here: no window, process or inOrder takes the watermarks of this eventTime",
    `leave ${name} out, or let windows, process functions or inOrder follow`,
    eventTime.location,
  );
}

/** Standard input is read, and one file or standard output written, by one subtask. */
function checkOneSubtask({ kind, functions, options, parallelism, location }: PlanNode): void {
  if (parallelism === null || parallelism === 1) return;
  const { paths } = (options ?? {}) as { paths?: readonly string[] };
  const isStdin = kind === "source" && paths !== undefined && areStdin(paths);
  const isSingle = kind === "sink" && (functions.sink as Sink<unknown>).parallelism === 1;
  if (!isStdin && !isSingle) return;
  const [what, done] = isStdin ? ["source", "standard input is read"] : ["sink", "what it writes to is written"];
  throw withoutEffect(
    `parallelism(${parallelism})`,
    `on this ${what}`,
    `leave it out: ${done} by one subtask`,
    location,
  );
}
