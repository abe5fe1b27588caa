// Every option there is. To add one: an entry here, then run its test with UPDATE_DOCS=1, which writes
// docs/configuration.md. Keys are Flink's where Flink has the option (of 1.20 where 2.x has fixed it); ours begin with
// `millrace.`.

import { boolean, duration, fraction, integer, memorySize, number, oneOf, option, text } from "./option.ts";

/** Slots of one TaskManager, at most. */
export const SLOTS_MAX = 256;

export const OPTIONS = {
  // Slots and parallelism
  numberOfTaskSlots: option({
    key: "taskmanager.numberOfTaskSlots",
    type: integer({ min: 1, max: SLOTS_MAX }),
    default: "1",
    doc: "Slots of a TaskManager: threads, each with its own V8 heap and an equal share of the managed memory.",
  }),
  readyThreads: option({
    key: "millrace.taskmanager.ready-threads",
    type: integer({ min: 0, max: SLOTS_MAX }),
    default: null,
    doc: "Threads that a TaskManager keeps ready, so that a job, or a slot whose thread was lost, need not wait for one. When not set, one with checkpoints, a second after the start, else none.",
  }),
  parallelism: option({
    key: "parallelism.default",
    type: integer({ min: 1, max: 32_768 }),
    default: "1",
    doc: "Parallelism of operators that do not say otherwise.",
  }),
  maxParallelism: option({
    key: "pipeline.max-parallelism",
    type: integer({ min: 1, max: 32_768 }),
    default: null,
    doc: "Number of key groups: the most that keyed operators can be scaled to. Derived as in Flink when not set.",
  }),

  // Pipeline
  operatorChaining: option({
    key: "pipeline.operator-chaining.enabled",
    type: boolean(),
    default: "true",
    doc: "Whether operators that need no exchange between them run fused in one task.",
  }),
  preAggregation: option({
    key: "millrace.pipeline.pre-aggregation",
    type: boolean(),
    default: "true",
    doc: "Whether aggregates are computed in parts before records go to other tasks, where that changes no result.",
  }),
  bufferTimeoutEnabled: option({
    key: "execution.buffer-timeout.enabled",
    type: boolean(),
    default: "true",
    doc: "Whether batches that are not full are sent on after a time. When false they wait until they are full.",
  }),
  bufferTimeout: option({
    key: "execution.buffer-timeout.interval",
    type: duration(),
    default: "100ms",
    doc: "The longest that a record waits for its batch to fill. Batches leave sooner when the consumer is idle.",
  }),
  stateBackend: option({
    key: "state.backend.type",
    type: oneOf("managed", "hashmap"),
    default: "managed",
    doc: "Where keyed state lives: in managed memory outside the V8 heap, or as JavaScript values on it.",
  }),

  // Memory: docs/memory.md
  processSize: option({
    key: "taskmanager.memory.process.size",
    type: memorySize(),
    default: null,
    doc: "All the memory of a TaskManager process. Set this, or flink.size, or task.heap.size with managed.size.",
  }),
  flinkSize: option({
    key: "taskmanager.memory.flink.size",
    type: memorySize(),
    default: null,
    doc: "The memory of a TaskManager without V8's overhead: heap and off-heap.",
  }),
  frameworkHeapSize: option({
    key: "taskmanager.memory.framework.heap.size",
    type: memorySize(),
    default: "128mb",
    doc: "V8 heap of the main thread, which runs no user code.",
  }),
  taskHeapSize: option({
    key: "taskmanager.memory.task.heap.size",
    type: memorySize(),
    default: null,
    doc: "V8 heap of all slots together. What remains of flink.size when not set.",
  }),
  frameworkOffHeapSize: option({
    key: "taskmanager.memory.framework.off-heap.size",
    type: memorySize(),
    default: "128mb",
    doc: "Buffers of the engine outside V8's heaps and outside the pools: sockets, files, control data.",
  }),
  taskOffHeapSize: option({
    key: "taskmanager.memory.task.off-heap.size",
    type: memorySize(),
    default: "0b",
    doc: "Buffers, typed arrays and native memory of user code.",
  }),
  managedSize: option({
    key: "taskmanager.memory.managed.size",
    type: memorySize(),
    default: null,
    doc: "Managed memory: the pool for state, sorting and hash tables, 8 GiB at most. Wins over managed.fraction.",
  }),
  managedFraction: option({
    key: "taskmanager.memory.managed.fraction",
    type: fraction(),
    default: "0.4",
    doc: "Managed memory as a part of flink.size.",
  }),
  networkFraction: option({
    key: "taskmanager.memory.network.fraction",
    type: fraction(),
    default: "0.1",
    doc: "Network memory, the pool for batches in flight between tasks, as a part of flink.size.",
  }),
  networkMin: option({
    key: "taskmanager.memory.network.min",
    type: memorySize(),
    default: "64mb",
    doc: "The least network memory.",
  }),
  networkMax: option({
    key: "taskmanager.memory.network.max",
    type: memorySize(),
    default: null,
    doc: "The most network memory. No bound when not set.",
  }),
  segmentSize: option({
    key: "taskmanager.memory.segment-size",
    type: memorySize({ min: 4096, max: 16 * 1024 ** 2, powerOfTwo: true }),
    default: "32kb",
    doc: "Size of a network segment: the largest batch that travels in one piece.",
  }),
  v8OverheadFraction: option({
    key: "taskmanager.memory.v8-overhead.fraction",
    type: fraction(),
    default: "0.1",
    doc: "What V8 and Node.js need beside the heaps (code, stacks, native memory), as a part of process.size.",
  }),
  v8OverheadMin: option({
    key: "taskmanager.memory.v8-overhead.min",
    type: memorySize(),
    default: "192mb",
    doc: "The least overhead of V8.",
  }),
  v8OverheadMax: option({
    key: "taskmanager.memory.v8-overhead.max",
    type: memorySize(),
    default: "1gb",
    doc: "The most overhead of V8.",
  }),
  managedBlockSize: option({
    key: "millrace.memory.managed-block-size",
    type: memorySize({ min: 64 * 1024, max: 64 * 1024 ** 2, powerOfTwo: true }),
    default: "1mb",
    doc: "Size of a segment of managed memory. Its users divide it further.",
  }),
  youngGenerationSize: option({
    key: "millrace.slot.young-generation.size",
    type: memorySize({ min: 1024 ** 2 }),
    default: null,
    doc: "Part of a slot's V8 heap in which objects are born. A quarter of the slot's heap when not set, at most 48mb.",
  }),
  memoryPoison: option({
    key: "millrace.memory.poison",
    type: boolean(),
    default: "false",
    doc: "Whether released segments are overwritten with 0xDB, so that use after release shows. For tests.",
  }),

  // Network
  buffersPerChannel: option({
    key: "taskmanager.network.memory.buffers-per-channel",
    type: integer({ min: 1 }),
    default: "2",
    doc: "Segments that belong to one channel alone.",
  }),
  floatingBuffersPerGate: option({
    key: "taskmanager.network.memory.floating-buffers-per-gate",
    type: integer(),
    default: "8",
    doc: "Segments that the channels of one exchange of a task share.",
  }),
  maxBuffersPerChannel: option({
    key: "taskmanager.network.memory.max-buffers-per-channel",
    type: integer({ min: 1, max: 64 }), // Entries of a ring: src/network/ring-link.ts.
    default: "10",
    doc: "The most segments that one channel may have in flight.",
  }),
  debloatEnabled: option({
    key: "taskmanager.network.memory.buffer-debloat.enabled",
    type: boolean(),
    default: "true",
    doc: "Whether no more is in flight to a task than it gets through in the target time, so that checkpoints of a job with slow consumers complete. Flink's default is false.",
  }),
  debloatTarget: option({
    key: "taskmanager.network.memory.buffer-debloat.target",
    type: duration({ min: 1 }),
    default: "200ms",
    doc: "In which a task gets through all that is in flight to it: what each exchange adds to a checkpoint under back-pressure. Flink's default is 1s.",
  }),
  debloatPeriod: option({
    key: "taskmanager.network.memory.buffer-debloat.period",
    type: duration({ min: 1 }),
    default: "200ms",
    doc: "The least time over which is measured how fast a task is.",
  }),
  overdraftRecords: option({
    key: "millrace.task.overdraft-records",
    type: integer({ min: 1 }),
    default: "100000",
    doc: "Records that one call of a user function may emit beyond its output's room. Generators have no limit.",
  }),
  recordSizeMax: option({
    key: "millrace.network.record-size-max",
    type: memorySize({ min: 4096, max: 1024 ** 3 }),
    default: "64mb",
    doc: "The largest record that may travel between tasks. Records larger than a segment travel in parts.",
  }),

  // Tasks
  turnBudget: option({
    key: "millrace.task.turn-budget",
    type: duration({ min: 0.1 }),
    default: "2ms",
    doc: "How long a task runs before the other tasks of its slot, timers and control requests have their turn.",
  }),
  watchdogTimeout: option({
    key: "millrace.task.watchdog-timeout",
    type: duration({ min: 10 }),
    default: "30s",
    doc: "A slot without progress for so long (a user function that does not return) is stopped, and its task fails.",
  }),
  cancellationTimeout: option({
    key: "task.cancellation.timeout",
    type: duration(),
    default: "3min",
    doc: "A slot whose tasks have not closed so long after they were told to is stopped. A job that is stopped and has not prepared its output by then fails.",
  }),
  checkpointDirectory: option({
    key: "execution.checkpointing.dir",
    type: text("path"),
    default: null,
    doc: "Directory for checkpoints: the job goes on from the newest one when it is started again. Each job needs one of its own.",
  }),
  checkpointingInterval: option({
    key: "execution.checkpointing.interval",
    type: duration({ min: 10 }),
    default: "10s",
    doc: "Between the starts of two checkpoints.",
  }),
  checkpointingMinPause: option({
    key: "execution.checkpointing.min-pause",
    type: duration(),
    default: "0ms",
    doc: "Between the end of one checkpoint and the start of the next, at least.",
  }),
  checkpointingTimeout: option({
    key: "execution.checkpointing.timeout",
    type: duration({ min: 10 }),
    default: "10min",
    doc: "A checkpoint that not all tasks have acknowledged after this time is given up.",
  }),
  checkpointingMaxConcurrent: option({
    key: "execution.checkpointing.max-concurrent-checkpoints",
    type: integer({ min: 1, max: 100 }),
    default: "1",
    doc: "Checkpoints that may be under way at once.",
  }),
  checkpointingTolerableFailures: option({
    key: "execution.checkpointing.tolerable-failed-checkpoints",
    type: integer({ min: 0, max: 1_000_000 }),
    default: "10",
    doc: "Checkpoints in a row that may fail before the job does. Flink's default is 0.",
  }),
  checkpointingRetained: option({
    key: "execution.checkpointing.num-retained",
    type: integer({ min: 1, max: 1_000 }),
    default: "2",
    doc: "Completed checkpoints that are kept. Flink's default is 1: with 2 there is an older one when the newest is damaged.",
  }),
  checkpointingMode: option({
    key: "execution.checkpointing.mode",
    type: oneOf("exactly-once", "at-least-once"),
    default: "exactly-once",
    doc: "Whether a task waits, when a checkpoint's barrier has come by one input, for that of the others.",
  }),
  checkpointingInlineThreshold: option({
    key: "execution.checkpointing.data-inline-threshold",
    type: memorySize({ min: 0 }),
    default: "20kb",
    doc: "State of a task up to this size is kept in the checkpoint's metadata instead of a file of its own.",
  }),
  checkpointingPagesThreshold: option({
    key: "execution.checkpointing.pages-threshold",
    type: memorySize({ min: 0 }),
    default: "1mb",
    doc: "State of an operator in a task that takes at least so much memory is written bit by bit while the task goes on: managed memory by pages, and later checkpoints refer to those that have not changed; the heap entry by entry.",
  }),
  checkpointingCompression: option({
    key: "execution.checkpointing.snapshot-compression",
    type: boolean(),
    default: "false",
    doc: "Whether state in checkpoints is compressed.",
  }),
  checkpointRetention: option({
    key: "execution.checkpointing.externalized-checkpoint-retention",
    type: oneOf("retain-on-cancellation", "delete-on-cancellation", "no-externalized-checkpoints"),
    default: "retain-on-cancellation",
    doc: "Whether checkpoints stay when the job is cancelled; with no-externalized-checkpoints they go when it has failed for good as well. After a stop they always stay. Flink's default is to keep none.",
  }),
  savepointDirectory: option({
    key: "execution.checkpointing.savepoint-dir",
    type: text("path"),
    default: null,
    doc: "Directory for savepoints that are asked for without a path. Default: the checkpoint directory.",
  }),
  restorePath: option({
    key: "execution.state-recovery.path",
    type: text("path"),
    default: null,
    doc: "Savepoint, checkpoint or checkpoint directory that the job starts from, when its own checkpoint directory has none.",
  }),
  restoreClaimMode: option({
    key: "execution.state-recovery.claim-mode",
    type: oneOf("no-claim", "claim"),
    default: "no-claim",
    doc: "What becomes of the savepoint that a job started from: with no-claim it stays as it is; with claim the job removes it once it has enough checkpoints of its own.",
  }),
  ignoreUnclaimedState: option({
    key: "execution.state-recovery.ignore-unclaimed-state",
    type: boolean(),
    default: "false",
    doc: "Drop what a checkpoint has of operators that the job does not have any more, instead of refusing it.",
  }),
  restoreJobName: option({
    key: "millrace.state-recovery.job-name",
    type: text("name"),
    default: null,
    doc: "Name that the job had when what it starts from was taken: for a job that has another one since.",
  }),
  restartStrategy: option({
    key: "restart-strategy.type",
    type: oneOf("none", "fixed-delay", "exponential-delay", "failure-rate"),
    default: "exponential-delay",
    doc: "What happens to a job with checkpoints when it fails: whether, and after how long, it goes on from the newest one.",
  }),
  restartFixedAttempts: option({
    key: "restart-strategy.fixed-delay.attempts",
    type: integer({ min: 0 }),
    default: "1",
    doc: "Restarts in all.",
  }),
  restartFixedDelay: option({
    key: "restart-strategy.fixed-delay.delay",
    type: duration(),
    default: "1s",
    doc: "Time before each restart.",
  }),
  restartInitialBackoff: option({
    key: "restart-strategy.exponential-delay.initial-backoff",
    type: duration({ min: 1 }),
    default: "50ms",
    doc: "Time before the first restart. Flink waits 1s: it has processes to wait for, where here threads are kept.",
  }),
  restartMaxBackoff: option({
    key: "restart-strategy.exponential-delay.max-backoff",
    type: duration({ min: 1 }),
    default: "1min",
    doc: "The longest time before a restart.",
  }),
  restartBackoffMultiplier: option({
    key: "restart-strategy.exponential-delay.backoff-multiplier",
    type: number({ min: 1 }),
    default: "1.5",
    doc: "By what the time before a restart grows with each failure.",
  }),
  restartResetThreshold: option({
    key: "restart-strategy.exponential-delay.reset-backoff-threshold",
    type: duration({ min: 1 }),
    default: "1h",
    doc: "A job that has run so long without failure begins with the initial time again.",
  }),
  restartJitter: option({
    key: "restart-strategy.exponential-delay.jitter-factor",
    type: fraction(),
    default: "0.1",
    doc: "Part of the time before a restart by which it varies.",
  }),
  restartBackoffAttempts: option({
    key: "restart-strategy.exponential-delay.attempts-before-reset-backoff",
    type: integer({ min: 0 }),
    default: null,
    doc: "Restarts until the time before them begins anew; any number when not set.",
  }),
  restartRateFailures: option({
    key: "restart-strategy.failure-rate.max-failures-per-interval",
    type: integer({ min: 0 }),
    default: "1",
    doc: "Failures within the interval that are followed by a restart.",
  }),
  restartRateInterval: option({
    key: "restart-strategy.failure-rate.failure-rate-interval",
    type: duration({ min: 1 }),
    default: "1min",
    doc: "Interval in which failures are counted.",
  }),
  restartRateDelay: option({
    key: "restart-strategy.failure-rate.delay",
    type: duration(),
    default: "1s",
    doc: "Time before each restart.",
  }),
  committerRetries: option({
    key: "sink.committer.retries",
    type: integer({ min: 0, max: 100 }),
    default: "5",
    doc: "How often a sink's commit that failed for a reason outside of the job, or whose slot was lost, is tried again, after 0.1 s, 0.2 s, 0.4 s and so on.",
  }),
  heartbeatInterval: option({
    key: "heartbeat.interval",
    type: duration({ min: 1 }),
    default: "10s",
    doc: "How often a job asks whether its TaskManager is there.",
  }),
  heartbeatTimeout: option({
    key: "heartbeat.timeout",
    type: duration({ min: 1 }),
    default: "50s",
    doc: "A TaskManager that does not answer, or cannot be reached, for so long is lost, and the job fails.",
  }),
  freezeRecords: option({
    key: "millrace.check.freeze-records",
    type: boolean(),
    default: "false",
    doc: "Whether records are frozen before user functions get them, so that changing one fails at that line.",
  }),
};

export type OptionKey = (typeof OPTIONS)[keyof typeof OPTIONS]["key"];
