// Makes the driver of a sink, and with it the sink's writer.

import { inputChangelog } from "../../graph/changelog.ts";
import { isBounded, type PlanOperator } from "../../graph/plan.ts";
import { recordType } from "../../graph/record-type.ts";
import type { Committable, Sink, SinkWriterContext } from "../../operators/sink.ts";
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
    bounded: isBounded(plan),
    recordType: recordType(plan, operator),
    key: input.kind === "upsert" ? input.key : null,
    metrics: subtask.scope(uid),
    print: (lines) => print(descriptor, uid, lines),
    deliver: (rows) => deliver(descriptor, uid, rows),
  };
  const writer = connectorCall("sink", uid, () => sink.createWriter(opened));
  return new SinkDriver({ uid, writer, wake, commits: sink.createCommitter !== undefined });
}

function uncommitted({ restore }: TaskDescriptor, uid: string): readonly Committable[] {
  return restore?.uncommitted.find(({ sink }) => sink === uid)?.committables ?? [];
}
