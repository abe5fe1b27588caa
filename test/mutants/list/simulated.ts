import type { Mutant } from "../mutant.ts";

const COORDINATOR = "src/jobmanager/checkpointing/coordinator.ts";
const DRIVER = "src/jobmanager/checkpointing/checkpoint-driver.ts";
const COMMITTABLES = "src/jobmanager/checkpointing/committables.ts";
const RESTORES = "src/jobmanager/checkpointing/task-restores.ts";
const STORE = "src/checkpoint/completed-store.ts";
const DIRECTORY = "src/checkpoint/storage/directory-storage.ts";
const RESTORE = "src/checkpoint/restore.ts";
const TASK_CHECKPOINTS = "src/taskmanager/task/task-checkpoints.ts";
const TASK_STATE = "src/taskmanager/task/task-state.ts";
const SOURCES = "src/taskmanager/drivers/source-coordinator.ts";
const TARGET = "src/connectors/files/sink/file-target.ts";
const TESTS = ["test/simulation/crashes.test.ts"];

/**
 * Bugs that Flink and its like had, planted here: of each it is known that records were lost, doubled or wrong, or that
 * a job never went on. The simulation has to find each of them (`npm run simulate -- --mutants`).
 */
const BUGS: readonly Omit<Mutant, "tests">[] = [
  {
    name: "FLINK-10377: what was prepared for a checkpoint that was given up is never committed",
    file: COMMITTABLES,
    find: "this.#list.filter(({ checkpoint }) => checkpoint > after)",
    replace: "this.#list.filter(({ checkpoint }) => checkpoint > after && checkpoint === upTo)",
  },
  {
    name: "FLINK-31305: a checkpoint does not wait for what sinks are still writing",
    file: TASK_CHECKPOINTS,
    find: "    this.#isPreparing = true;\n    this.#keptBack",
    replace: "    this.#isPreparing = false;\n    this.#keptBack",
  },
  {
    name: "FLINK-29509: what subtasks that are no more had prepared is committed by nobody",
    file: RESTORES,
    find: "(before.subtask < parallelism ? before.subtask : 0) === subtask",
    replace: "before.subtask === subtask",
  },
  {
    name: "FLINK-24530: what a task prepares at its end is in no checkpoint",
    file: DRIVER,
    find: "    this.#committables = this.#committables.with(first, this.#place(task).subtask, prepared);\n",
    replace:
      "    if (first < 0) this.#committables = this.#committables.with(first, this.#place(task).subtask, prepared);\n",
  },
  {
    name: "FLINK-26403: what waits for the end of a bounded job is forgotten when it goes on from a checkpoint",
    file: RESTORES,
    find: "  let all = Committables.none;\n",
    replace: "  let all = Committables.none;\n  if (plan.dropped.length >= 0) return all;\n",
  },
  {
    name: "FLINK-13941: the files of a checkpoint that counts are removed with those of older ones",
    file: COORDINATOR,
    find: "...known.slice(0, -retained).map(",
    replace: "...known.slice(0, 1 - retained || undefined).map(",
  },
  {
    name: "FLINK-21453: tasks go on behind the last checkpoint of a job that is stopped",
    file: TASK_CHECKPOINTS,
    find: "this.#isFinal = taking.isFinal;",
    replace: "this.#isFinal = false;",
  },
  {
    name: "FLINK-20654: a barrier overtakes the records that were staged before it",
    file: "src/network/output-channel.ts",
    find: "return this.flush() && this.sender.sendControl(ELEMENT.barrier, id);",
    replace: "return this.sender.sendControl(ELEMENT.barrier, id);",
  },
  {
    name: "FLINK-19300: a read that gives less than was asked for is taken for all",
    file: DIRECTORY,
    find: "for (let filled = 0; filled < length; ) {",
    replace: "for (let filled = 0; filled === 0 && length > 0; ) {",
  },
  {
    name: "FLINK-19741: timers are lost with a restore",
    file: "src/state/timers/managed-timers.ts",
    find: "    this.#set(domain, name, readF64(input));\n",
    replace: "    if (readF64(input) < 0) this.#set(domain, name, 0);\n",
  },
  {
    name: "FLINK-8487: where no checkpoint can be read the job begins anew",
    file: STORE,
    find: "if (first === null && (await this.#read()) === null) return null;",
    replace: "if (first !== null || (await this.#read()) === null) return null;",
  },
  {
    name: "FLINK-7783: a pointer that cannot be made out is taken for none",
    file: STORE,
    find: "idNamed(await this.#read()) ?? Infinity;",
    replace: "idNamed(await this.#read()) ?? 0;",
  },
  {
    name: "FLINK-21996: splits are handed out between the snapshots of their coordinator and their readers",
    file: SOURCES,
    find: "    this.#stopped = true;\n",
    replace: "",
  },
  {
    name: "FLINK-21817: splits of readers that are no more are lost when a job is scaled",
    file: RESTORE,
    find: "splits: state.subtasks.flatMap(({ splits }) => splits) };",
    replace: "splits: state.subtasks.slice(0, 2).flatMap(({ splits }) => splits) };",
  },
  {
    name: "FLINK-20221: a source goes on behind the record at which it was",
    file: "src/operators/indexed-ranges.ts",
    find: "this.#ranges.map(({ id, next }) => ({ id, position: next }))",
    replace: "this.#ranges.map(({ id, next, step }) => ({ id, position: next + (next > 60 ? step : 0) }))",
  },
  {
    name: "FLINK-30437: the checkpoint that a job goes on from is swept at its start",
    file: "src/client/checkpoints.ts",
    find: "await directory.sweep(known.completed);",
    replace: "await directory.sweep(known.completed.slice(0, -1));",
  },
  {
    name: "FLINK-24543: a pointer whose swap got no answer counts as not swapped",
    file: STORE,
    find: "      if (pointer === next) return this.#makeSure(pointer);\n",
    replace: "      this.#pointer = expected;\n      if (next !== null) throw error;\n",
  },
  {
    name: "FLINK-22502: a checkpoint that the pointer names is removed, for nobody could say whether it does",
    file: STORE,
    find: "    if (pointer === pointerText(id)) return;\n",
    replace: "",
  },
  {
    name: "FLINK-9857: a job goes on in the middle of a window as if it had just begun",
    file: TASK_STATE,
    find: "      for (const bytes of restored.get(uid)?.parts[name] ?? []) holder.restore(new ByteCursor(bytes));\n",
    replace:
      '      if (name !== "operator") continue;\n      for (const bytes of restored.get(uid)?.parts[name] ?? []) holder.restore(new ByteCursor(bytes));\n',
  },
  {
    name: "FLINK-33863: a subtask is not given the first of its key groups",
    file: RESTORE,
    find: "group >= first && group <= last)",
    replace: "group > first && group <= last)",
  },
  {
    name: "KAFKA-17754: output is committed before its checkpoint is complete",
    file: DRIVER,
    find: '      await store.complete(metadata);\n      this.#tell({ kind: "stored", id, nowMs: this.#nowMs() });\n',
    replace: '      this.#tell({ kind: "stored", id, nowMs: this.#nowMs() });\n      await store.complete(metadata);\n',
  },
  {
    name: "FLINK-7784: after a restore nobody commits what was prepared and perhaps not committed",
    file: RESTORES,
    find: "recommit: commits ? operators.flatMap(",
    replace: "recommit: commits && operators.length < 0 ? operators.flatMap(",
  },
  {
    name: "FLINK-8086: what a checkpoint holds is committed at its first restore, and dropped at the second",
    file: DRIVER,
    find: "const due = this.#commits ? this.#committables.between(this.#committedUpTo, id) : [];",
    replace:
      "const due = this.#commits ? this.#committables.between(this.#committedUpTo, id) : [];\n    for (const { subtask, prepared } of due) this.#committables = this.#committables.without(prepared.sink, subtask, id);",
  },
  {
    name: "FLINK-10011: a job that has finished keeps the checkpoint before its last one",
    file: STORE,
    find: "    await this.#storage.remove(metadataName(id));\n    await this.#storage.remove(checkpointFolder(id));\n",
    replace: "    await this.#storage.remove(checkpointFolder(id));\n",
  },
  {
    name: "I6: the pointer is set before the metadata is durable",
    file: DIRECTORY,
    find: "    await this.#file.sync();\n    await this.#close();\n    if (",
    replace: "    await this.#close();\n    if (",
  },
  {
    name: "I6: the new name of an object is lost with the power",
    file: DIRECTORY,
    find: "    await this.#disk.rename(unfinished, path);\n    await this.#disk.syncDirectory(directoryOf(path));\n    this.#state",
    replace: "    await this.#disk.rename(unfinished, path);\n    this.#state",
  },
  {
    name: "I6: what the process before has renamed last is built on before it is durable",
    file: DIRECTORY,
    find: "    await this.#disk.syncDirectory(path);\n    for (const entry",
    replace: "    for (const entry",
  },
  {
    name: "I5: a checkpoint has the id of one that was given up",
    file: COORDINATOR,
    find: "nextId: Math.max(greatest, ...completed) + 1,",
    replace: "nextId: Math.max(0, ...completed) + 1,",
  },
  {
    name: "I7: a task waits for ever for the barriers of a checkpoint that was given up",
    file: "src/taskmanager/task/barrier-aligner.ts",
    find: "    if (this.#id === id) this.#stop();\n",
    replace: "",
  },
  {
    name: "I1: an aligned task takes what came behind the barrier of a channel",
    file: "src/taskmanager/task/barrier-aligner.ts",
    find: 'this.#arrived[channel] === true && this.#mode === "exactly-once"',
    replace: 'this.#arrived[channel] === true && this.#mode === "at-least-once"',
  },
  {
    name: "I15: sources hand out nothing any more when checkpoints follow each other closely",
    file: COORDINATOR,
    find: 'return then(goneOn(due), (next) => begin(next, "periodic", nowMs));',
    replace: 'return begin(due, "periodic", nowMs);',
  },
  {
    name: "I2: an endless job that comes to its end waits for commits that others have heard of",
    file: "src/jobmanager/checkpointing/job-checkpoints.ts",
    find: "isBounded(this.#options.graph.plan) ? this.#driver.uncommitted(task) : [];",
    replace: "this.#driver.uncommitted(task);",
  },
  {
    name: "I4: a message of an earlier connection counts once more",
    file: "src/protocol/fence.ts",
    find: 'if (sequence <= this.#heard) return "twice";',
    replace: "if (sequence <= this.#heard) return null;",
  },
  {
    name: "I2: a commit that was done already is one that has failed",
    file: TARGET,
    find: "    else await checkCommitted(disk, `${directory}/${to}`, size);\n",
    replace: "    else if (size >= 0) await disk.rename(`${directory}/${from}`, `${directory}/${to}`);\n",
  },
  {
    name: "I11: what a checkpoint holds and waits for its commit is swept",
    file: TARGET,
    find: "(this.#isLeftover(name) && !kept.has(name))",
    replace: "(this.#isLeftover(name) && kept.size >= 0)",
  },
  {
    name: "K4: a slot that hangs is never noticed",
    file: "src/taskmanager/watchdog.ts",
    find: "    if (inTurn || seen.rung) {\n",
    replace: "    if (inTurn) {\n",
  },
];

export const SIMULATED: readonly Mutant[] = BUGS.map((bug) => ({ ...bug, tests: TESTS }));
