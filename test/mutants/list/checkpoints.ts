import type { Mutant } from "../mutant.ts";

const STORE = "src/checkpoint/completed-store.ts";
const DIRECTORY = "src/checkpoint/storage/directory-storage.ts";
const METADATA = "src/checkpoint/format/metadata.ts";
const RESTORE = "src/checkpoint/restore.ts";
const RESTORE_TESTS = ["src/checkpoint/restore.test.ts"];
const ALIGNER = "src/taskmanager/task/barrier-aligner.ts";
const POLICY = "src/jobmanager/recovery/failure-policy.ts";
const RESTARTS = "src/jobmanager/recovery/restart-strategy.ts";
const COORDINATOR = "src/jobmanager/checkpointing/coordinator.ts";
const COMMITTABLES = "src/jobmanager/checkpointing/committables.ts";
const TASK_CHECKPOINTS = "src/taskmanager/task/task-checkpoints.ts";
const SIMULATED = ["test/simulation/crashes.test.ts"];

/** Of checkpoints: when they are taken, of what they consist, what is committed. */
export const CHECKPOINTS: readonly Mutant[] = [
  {
    name: "a checkpoint begins while sources stand still for the one before",
    file: COORDINATOR,
    find: "pending.length < options.maxConcurrent && !areHeld(state);",
    replace: "pending.length < options.maxConcurrent;",
  },
  {
    name: "an older checkpoint that is stored late takes the place of a newer one",
    file: "src/checkpoint/completed-store.ts",
    find: "    if ((idNamed(expected) ?? 0) > id) return; // A later one was completed before it.\n",
    replace: "",
    tests: ["src/checkpoint/completed-store.test.ts"],
  },
  {
    name: "the end of a task counts for a checkpoint that it had taken before",
    file: COORDINATOR,
    find: "const counts = each.id > (state.taken.get(task) ?? 0);",
    replace: "const counts = true;",
  },
  {
    name: "a checkpoint is too late by a rounding error only after the time that was asked for",
    file: COORDINATOR,
    find: "nowMs >= startedMs + timeoutMs);",
    replace: "nowMs - startedMs >= timeoutMs);",
  },
  {
    name: "what one subtask has committed goes for all",
    file: COMMITTABLES,
    find: "each.sink === sink && each.subtask === subtask && each.checkpoint <= upTo;\n    return new",
    replace: "each.sink === sink && each.checkpoint <= upTo;\n    return new",
  },
  {
    name: "what is being committed is in no later checkpoint",
    file: "src/jobmanager/checkpointing/checkpoint-driver.ts",
    find: "    const prepared = due.map((each) => this.#withTask(each));\n",
    replace:
      "    const prepared = due.map((each) => this.#withTask(each));\n    for (const { task, prepared: { sink } } of prepared) this.committed(task, sink, id);\n",
    tests: SIMULATED,
  },
  {
    name: "a source takes the next checkpoint while a barrier has no room",
    file: TASK_CHECKPOINTS,
    find: "this.#taking ??= this.#next();",
    replace: "this.#taking = this.#next() ?? this.#taking;",
  },
  {
    name: "coordinators hand out splits again as soon as barriers leave",
    file: COORDINATOR,
    find: '(phase === "taking" && readers.size > 0)',
    replace: "false",
  },
  {
    name: "a checkpoint is stored before its last task has acknowledged it",
    file: COORDINATOR,
    find: 'pending.phase !== "taking" || pending.waiting.size > 0',
    replace: 'pending.phase !== "taking" || pending.waiting.size > 1',
  },
  {
    name: "the store stands still while bits of its entries are gathered",
    file: "src/checkpoint/format/subtask-state.ts",
    find: '      if (what === "bit") await file.flush(); // The store works on meanwhile.\n',
    replace: "",
  },
  {
    name: "the end of a file of state is not written",
    file: "src/checkpoint/format/state-file.ts",
    find: "    await this.flush();\n    await this.#object.commit();\n",
    replace: "    await this.#object.commit();\n",
  },
  {
    name: "sinks keep something back at a final checkpoint whose barrier comes before its message",
    file: "src/taskmanager/task/barrier.ts",
    find: " + (isFinal ? FINAL : 0)",
    replace: "",
    tests: ["src/taskmanager/task/task-checkpoints.test.ts"],
  },
  {
    name: "on a full disk no checkpoint is gone on from",
    file: "src/checkpoint/completed-store.ts",
    find: "      if (pointer === expected) this.#isUnsure = wasUnsure; // Nothing of it can be seen.\n",
    replace: "",
  },
  {
    name: "a pointer that may not be durable is gone on from",
    file: "src/checkpoint/completed-store.ts",
    find: "    if (this.#isUnsure) await this.#makeSure(await this.#read());\n",
    replace: "    this.#isUnsure = false;\n",
  },
  {
    name: "what is being stored is given up when the tasks end",
    file: COORDINATOR,
    find: 'const given = state.pending.filter(({ phase }) => phase !== "storing");',
    replace: "const given = state.pending;",
  },
  {
    name: "a checkpoint that has failed does not count among those in a row",
    file: COORDINATOR,
    find: "const failuresInARow = state.failuresInARow + 1;",
    replace: "const { failuresInARow } = state;",
  },
  {
    name: "ids of an earlier process are used again",
    file: COORDINATOR,
    find: "nextId: Math.max(greatest, ...completed) + 1,",
    replace: "nextId: Math.max(0, ...completed) + 1,",
  },
  {
    name: "a task that has come to its end holds up every checkpoint",
    file: COORDINATOR,
    find: "let step = unchanged({ ...state, running });",
    replace: "let step = unchanged(state);",
  },
  {
    name: "the pointer is set before the metadata is there",
    file: STORE,
    find: "    await metadataWrite(this.#storage, metadataName(metadata.id), metadata);\n",
    replace:
      "    await this.#point(pointerText(metadata.id));\n    await metadataWrite(this.#storage, metadataName(metadata.id), metadata);\n",
  },
  {
    name: "checkpoints of which none can be read are taken for none",
    file: STORE,
    find: "if (first === null && (await this.#read()) === null) return null;",
    replace: "if (first === null || first !== null) return null;",
  },
  {
    name: "a pointer that is lost makes the job begin anew",
    file: STORE,
    find: "return idNamed(await this.#read()) ?? Infinity;",
    replace: "return idNamed(await this.#read()) ?? 0;",
  },
  {
    name: "an object is there before it is durable",
    file: DIRECTORY,
    find: "    await this.#file.sync();\n    await this.#close();\n",
    replace: "    await this.#close();\n",
  },
  {
    name: "the name of an object is lost with the power",
    file: DIRECTORY,
    find: "    await this.#disk.rename(unfinished, path);\n    await this.#disk.syncDirectory(directoryOf(path));\n    this.#state",
    replace: "    await this.#disk.rename(unfinished, path);\n    this.#state",
  },
  {
    name: "metadata of any bytes is believed",
    file: METADATA,
    find: 'if (checksum(Number(version), body) !== expected) throw damaged(name, "its checksum differs");',
    replace: "if (expected === undefined) throw damaged(name, line);",
    tests: ["src/checkpoint/completed-store.test.ts"],
  },
  {
    name: "state of an operator that is gone is dropped without a word",
    file: RESTORE,
    find: "if (!allowNonRestored) throw leftOver(metadata, state.uid, plan.operators, before);\n",
    replace: "",
    tests: RESTORE_TESTS,
  },
  {
    name: "a barrier overtakes what combiners hold",
    file: TASK_CHECKPOINTS,
    find: '!this.#options.release()) return "again";',
    replace: "!this.#options.release()) this.#options.wake();",
  },
  {
    name: "a task goes on while its sinks prepare",
    file: TASK_CHECKPOINTS,
    find: "    this.#isPreparing = true;\n",
    replace: "    this.#isPreparing = false;\n",
  },
  {
    name: "a channel goes on behind its barrier",
    file: ALIGNER,
    find: 'this.#arrived[channel] === true && this.#mode === "exactly-once"',
    replace: 'this.#arrived[channel] === true && this.#mode === "at-least-once"',
  },
  {
    name: "a barrier that was given up begins again",
    file: ALIGNER,
    find: "if (id < this.#last || (id === this.#last && this.#id !== id)) return 0; // B3",
    replace: "if (id < this.#last) return 0; // B3",
  },
  {
    name: "a poison record makes a job start again without end",
    file: POLICY,
    find: "dueMs: isStuck ? null : dueMs,",
    replace: "dueMs,",
  },
  {
    name: "a job that its user has ended is started again",
    file: "src/jobmanager/job-master.ts",
    find: "const mayGoOn = !this.#isEnding && canRecover",
    replace: "const mayGoOn = canRecover",
  },
  {
    name: "a delay between restarts never begins anew",
    file: RESTARTS,
    find: "const isAnew = nowMs - state.dueMs >= resetThresholdMs; // R2",
    replace: "const isAnew = false; // R2",
  },
];
