// Makes the driver of a sink, and with it the sink's writer.

import { UserError } from "../../base/errors.ts";
import { WRITER_PART } from "../../checkpoint/format/subtask-state.ts";
import { inputChangelog } from "../../graph/changelog.ts";
import { isBounded, type PlanOperator } from "../../graph/plan.ts";
import { recordType } from "../../graph/record-type.ts";
import type { Committable, Sink, SinkWriterContext } from "../../operators/sink.ts";
import type { Json } from "../../operators/source.ts";
import type { TaskDescriptor } from "../../protocol/slot-messages.ts";
import { SinkDriver } from "../drivers/sink-driver.ts";
import { connectorCall } from "../failures/user-failure.ts";
import type { Subtask } from "./subtask.ts";

export function sinkBuild(subtask: Subtask, operator: PlanOperator): SinkDriver {
  const { uid, parallelism } = operator;
  const { context, descriptor, plan } = subtask;
  const { env, jobId, wake, print, deliver } = context;
  const sink = subtask.functions(uid).sink as Sink<unknown>;
  const input = inputChangelog(plan, context.graph.changelogs, { uid });
  const opened: SinkWriterContext = {
    env,
    disk: env.disk,
    uid,
    jobId,
    subtaskIndex: descriptor.subtask,
    parallelism,
    attempt: descriptor.attempt,
    restored: descriptor.restore !== undefined,
    uncommitted: uncommitted(descriptor, uid),
    states: (subtask.restored.get(uid)?.parts[WRITER_PART] ?? []).map((bytes) => JSON.parse(bytes.toString()) as Json),
    bounded: isBounded(plan),
    recordType: recordType(plan, operator),
    key: input.kind === "upsert" ? input.key : null,
    metrics: subtask.scope(uid),
    print: (lines) => print(descriptor, uid, lines),
    deliver: (rows) => deliver(descriptor, uid, rows),
  };
  const writer = connectorCall("sink", uid, () => sink.createWriter(opened));
  if (opened.states!.length > 0 && writer.snapshot === undefined) throw notGoneOnWith(uid);
  return new SinkDriver({ uid, writer, wake, commits: sink.createCommitter !== undefined, bounded: opened.bounded });
}

/** What is lost silently otherwise. */
function notGoneOnWith(uid: string): UserError {
  const what = `the sink "${uid}" has rows in the checkpoint that are not complete outside, and cannot go on with them now`;
  return new UserError("SINK_TARGET_CHANGED", what, {
    fix: "let the sink write what it wrote then; of a job without an end that was stopped before, nothing is left to go on with",
    operator: uid,
  });
}

function uncommitted({ restore }: TaskDescriptor, uid: string): readonly Committable[] {
  return restore?.uncommitted.find(({ sink }) => sink === uid)?.committables ?? [];
}
