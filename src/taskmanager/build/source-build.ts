// Makes the driver of a source, and with it the source's reader.

import { assert } from "../../base/errors.ts";
import { IssueCounts } from "../../metrics/issue-counts.ts";
import type { Output } from "../../operators/operator.ts";
import type { IndexedSource, Source, SourceReaderContext } from "../../operators/source.ts";
import type { Chain } from "../chain/chain.ts";
import type { EventTimeDriver } from "../drivers/event-time-driver.ts";
import { SourceDriver, type SourceDriverOptions } from "../drivers/source-driver.ts";
import { connectorCall } from "../failures/user-failure.ts";
import type { Subtask } from "./subtask.ts";

const NOWHERE: Output = { offer: () => true };

export function sourceBuild(subtask: Subtask, chain: Chain, eventTimes: readonly EventTimeDriver[]): SourceDriver {
  const { context, descriptor, head } = subtask;
  const { env, wake, requestSplit, isUnread } = context;
  const { uid, kind, parallelism } = head;
  assert(kind === "source", `vertex ${subtask.vertex.name} has neither inputs nor a source`);
  const source = subtask.functions(uid).source as Source<unknown>;
  const indexed = "generate" in source ? (source as IndexedSource<unknown>) : null;
  const metrics = subtask.scope(uid);
  const { subtask: subtaskIndex } = descriptor;
  const opened: SourceReaderContext = { env, disk: env.disk, uid, subtaskIndex, parallelism, metrics, wake };
  const driver = new SourceDriver({
    uid,
    clock: env.clock,
    reader: connectorCall("source", uid, () => source.createReader(opened)),
    indexed,
    policy: source.invalid,
    bounded: source.bounded,
    ...(source.changelog && { changelog: source.changelog }),
    batch: subtask.plan.mode === "batch",
    isUnread: () => isUnread(uid, subtaskIndex),
    output: chain.output(0, ""),
    invalid: source.invalid === "side" ? chain.output(0, "invalid") : NOWHERE,
    counts: new IssueCounts(metrics),
    splits: splitsTold(eventTimes),
    requestSplit: () => requestSplit(descriptor),
  });
  if (indexed !== null)
    driver.loop = chain.compileLoop({ input: { kind: "generate" }, port: 0, key: null, timestamps: false });
  return driver;
}

/** Event time is kept by split. */
function splitsTold(eventTimes: readonly EventTimeDriver[]): SourceDriverOptions["splits"] {
  return {
    add: (split) => {
      for (const driver of eventTimes) driver.addSplit(split);
    },
    release: () => {
      for (const driver of eventTimes) driver.release();
    },
    enter: (split) => {
      for (const driver of eventTimes) driver.enterSplit(split);
    },
    leave: (split) => {
      for (const driver of eventTimes) driver.leaveSplit(split);
    },
  };
}
