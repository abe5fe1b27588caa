// What a task is made of.

import type { Clock } from "../../base/env.ts";
import type { InputGate } from "../../network/input-gate.ts";
import type { ResultPartition } from "../../network/result-partition.ts";
import type { WatermarkCombiner } from "../../operators/event-time/watermark-combiner.ts";
import type { Operator } from "../../operators/operator.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import type { Chain, TaskStatus } from "../chain/chain.ts";
import type { LoopOptions } from "../chain/chain-code.ts";
import type { WatermarkPath } from "../chain/watermark-path.ts";
import type { EventTimeDriver } from "../drivers/event-time-driver.ts";
import type { FlatMapDriver } from "../drivers/flat-map-driver.ts";
import type { SinkDriver } from "../drivers/sink-driver.ts";
import type { SourceDriver } from "../drivers/source-driver.ts";
import type { TurnClock } from "../drivers/turn-clock.ts";
import type { CheckpointingMode } from "./barrier-aligner.ts";
import type { InputAppetite } from "./input-appetite.ts";
import type { TakenSnapshot } from "./task-checkpoints.ts";
import type { TaskMetrics } from "./task-metrics.ts";
import type { TaskState } from "./task-state.ts";

export type TaskParts = {
  readonly name: string;
  readonly clock: Clock;
  readonly status: TaskStatus;
  /** Tells operators when the turn is over. */
  readonly turn: TurnClock;
  readonly chain: Chain;
  /** Null for sources. */
  readonly gate: InputGate | null;
  /** Says which channel of the gate the records at hand came by. */
  readonly input: { channel: number };
  /** Null: what is in flight to the task is not its to say. */
  readonly appetite: InputAppetite | null;
  readonly combiner: WatermarkCombiner;
  readonly source: SourceDriver | null;
  readonly partitions: readonly ResultPartition[];
  readonly sinks: readonly SinkDriver[];
  /** Deepest first, so that what waits deepest goes on first. */
  readonly flatMaps: readonly FlatMapDriver[];
  /** In the order of the chain, each with the path of the watermarks it makes. */
  readonly eventTimes: readonly TaskEventTime[];
  /** Those whose watermarks a test makes in their place. */
  readonly unheard: readonly EventTimeDriver[];
  readonly inputPath: WatermarkPath;
  /** In the order of the chain. */
  readonly operators: readonly Operator[];
  readonly stores: readonly KeyedStateStore[];
  readonly loopOptions: (port: 0 | 1, input: LoopOptions["input"]) => LoopOptions;
  readonly metrics: TaskMetrics;
  readonly subtask: number;
  /** It had come to its end when it was snapshotted. */
  readonly finished: boolean;
  readonly state: TaskState;
  readonly mode: CheckpointingMode;
  /** The task's part of a checkpoint is there. */
  readonly taken: (snapshot: TakenSnapshot) => void;
  /** What to say of an error that comes before the first watermark. */
  readonly onFailure: (error: unknown) => unknown;
};

export type TaskEventTime = {
  readonly driver: EventTimeDriver;
  readonly path: WatermarkPath;
  /** Watermarks of the source before it count beside its own: a test says them. */
  readonly hears: boolean;
};
