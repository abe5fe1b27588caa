import type { Mutant } from "../mutant.ts";

const STATE = "src/jobmanager/job-state.ts";
const COMMITS = "src/jobmanager/commits/job-commits.ts";
const MASTER = "src/jobmanager/job-master.ts";
const TOPOLOGY = "src/jobmanager/topology.ts";

export const JOBMANAGER: readonly Mutant[] = [
  {
    name: "nobody says that printed lines were read",
    file: MASTER,
    find: "        this.rowsRead({ task: message.task, sink: message.sink, bytes: message.lines.length });\n",
    replace: "",
    tests: ["src/jobmanager/job-master.test.ts"],
  },
  {
    name: "an endless job that is stopped and cannot commit ends as cancelled",
    file: STATE,
    find: `  return ended({ ...state, outcome: "failed", error: withCommits(state, state.error) });`,
    replace: "  return ended({ ...state, error: withCommits(state, state.error) });",
  },
  {
    name: "sinks commit when all tasks but one have prepared",
    file: STATE,
    find: "return next.prepared.size < state.tasks ? stay(next)",
    replace: "return next.prepared.size < state.tasks - 1 ? stay(next)",
  },
  {
    name: "a task that says twice that it has prepared counts as two",
    file: STATE,
    find: "prepared: new Set(state.prepared).add(task) };",
    replace: "prepared: new Set(state.prepared).add(state.prepared.has(task) ? `${task}again` : task) };",
  },
  {
    name: "a job is finished though a commit was not acknowledged",
    file: STATE,
    find: "if (![...state.commits.values()].every(isSettled)) return stay(state);",
    replace: "if (![...state.commits.values()].some(isSettled)) return stay(state);",
  },
  {
    name: "a failure while a job commits keeps the other commits from being tried",
    file: STATE,
    find: `  if (state.phase === "committing") return stay({ ...state, error });`,
    replace: `  if (state.phase === "committing") return ended({ ...state, error, outcome: "failed" });`,
  },
  {
    name: "what a lost slot was to commit is waited for",
    file: STATE,
    find: "    if (!gone.includes(commit.slot) || isSettled(commit)) continue;",
    replace: "    if (gone.length > 0 || isSettled(commit)) continue;",
  },
  {
    name: "what a lost slot had prepared stays",
    file: STATE,
    find: "if (!discard || slot === undefined || !state.closed.has(commit.slot)) continue;",
    replace: "if (!discard || slot === undefined || state.closed.has(commit.slot)) continue;",
  },
  {
    name: "what may be committed yet is discarded",
    file: STATE,
    find: "const discard = !state.commitsBegan;",
    replace: "const discard = true;",
  },
  {
    name: "a commit that the user has to mend is tried again and again",
    file: STATE,
    find: "const after = errorFromData(error).retryable",
    replace: "const after = errorFromData(error)",
  },
  {
    name: "a commit that fails is not tried again",
    file: COMMITS,
    find: "if (slot === undefined || commit.tries > retries)",
    replace: "if (slot === undefined || commit.tries > 0)",
  },
  {
    name: "a commit is tried again by the slot that was lost",
    file: COMMITS,
    find: "const slot = slots.includes(commit.slot) ? commit.slot : slots[0];",
    replace: "const slot = slots.length > 0 ? commit.slot : slots[0];",
  },
  {
    name: "what is not committed is named as committed",
    file: COMMITS,
    find: `const lost = all.filter(({ phase }) => phase !== "committed");`,
    replace: `const lost = all.filter(({ phase }) => phase === "prepared");`,
  },
  {
    name: "a stopped job that cannot prepare is waited for without end",
    file: MASTER,
    find: `if (this.#isStopping || this.#state.phase === "stopping") this.fail(this.#notPrepared());`,
    replace: "void this.#notPrepared;",
  },
  {
    name: "a commit is tried again at once",
    file: MASTER,
    find: "if (delayMs === 0) this.#post(slot, message);",
    replace: "if (delayMs >= 0) this.#post(slot, message);",
  },
  {
    name: "the last failure of a job hides the first",
    file: STATE,
    find: "error: state.error ?? error }",
    replace: "error }",
  },
  {
    name: "a slot that closes before it was asked to is taken for done",
    file: STATE,
    find: `if (state.phase !== "closing") return lost(`,
    replace: `if (state.phase === "deploying") return lost(`,
  },
  {
    name: "a job is done when its first slot has closed",
    file: STATE,
    find: `if (phase !== "closing" || closed.size < slots) return step;`,
    replace: `if (phase !== "closing" || closed.size < 1) return step;`,
  },
  {
    name: "a request for a split goes to the slot that asks",
    file: MASTER,
    find: "this.#post(this.#deployment.assignment.slotOf(message.vertex, 0), message);",
    replace: "this.#post(this.#deployment.assignment.slotOf(message.vertex, message.subtask), message);",
  },
  {
    name: "slots that do not close after they were cancelled are waited for without end",
    file: MASTER,
    find: "    for (const slot of open) this.#release(slot);\n",
    replace: "",
  },
  {
    name: "an error while a slot closes is lost",
    file: MASTER,
    find: "const cause = this.#closeErrors.get(slot) ?? error;",
    replace: "const cause = error;",
  },
  {
    name: "what is parted from its job master drops what may be committed",
    file: "src/taskmanager/task-manager-gateway.ts",
    find: `run.slots.post(slot, { kind: "cancel", tasks: null, discard: false });`,
    replace: `run.slots.post(slot, { kind: "cancel", tasks: null, discard: true });`,
  },
  {
    name: "a lock that cannot be removed hides how the job came out",
    file: "src/client/embedded.ts",
    find: "    await claimed?.release();\n  } catch (error) {",
    replace: "    await claimed?.release();\n  } catch (error) {\n    if (claimed !== undefined) throw error;",
    tests: ["src/client/embedded.test.ts"],
  },
  {
    name: "what one sink cannot release keeps others from being released",
    file: "src/client/targets/job-claim.ts",
    find: "await Promise.allSettled(claims.splice(0).map((claim) => claim.release()));",
    replace:
      "await Promise.allSettled([(async () => { for (const claim of claims.splice(0)) await claim.release(); })()]);",
  },
  {
    name: "a slot that was lost is waited for",
    file: STATE,
    find: "closed: new Set([...before.closed, ...gone]) };",
    replace: "closed: new Set(before.closed) };",
  },
  {
    name: "the last receiver of a pointwise edge is reached by nobody",
    file: TOPOLOGY,
    find: "if (origins >= targets) return Math.floor((origin * targets) / origins) === target;",
    replace: "if (origins >= targets) return Math.floor((origin * (targets - 1)) / origins) === target;",
  },
  {
    name: "slot-sharing groups overlap",
    file: TOPOLOGY,
    find: "    slots += size;\n",
    replace: "    slots += size - 1;\n",
  },
  {
    name: "a job that begins anew deploys before all its slots are empty",
    file: "src/jobmanager/job-state.ts",
    find: "if (state.emptied.size < state.slots) return stay(state);",
    replace: "if (state.emptied.size < 1) return stay(state);",
  },
  {
    name: "what the attempt before has prepared counts for the next",
    file: "src/jobmanager/job-state.ts",
    find: "const fresh = { deployed: 0, prepared: new Set<TaskId>(), commits: new Map() };",
    replace: "const fresh = { deployed: 0 };",
  },
  {
    name: "a job master hears what tasks of the attempt before say",
    file: "src/jobmanager/job-master.ts",
    find: "if (this.#isOfToday(message.message)) this",
    replace:
      'if (!this.#isOfToday(message.message)) this.#options.dropped.add("late");\n        if (message.kind === "fromSlot") this',
  },
  {
    name: "slots that are empty already when a job ends are not released",
    file: "src/jobmanager/job-master.ts",
    find: "    for (const [slot, open] of this.#open.entries()) if (open.size === 0) this.#release(slot);\n",
    replace: "",
  },
  {
    name: "a job that fails once all is committed has finished",
    file: "src/jobmanager/job-state.ts",
    find: 'if (state.commitsBegan) return stay({ ...state, outcome: "failed", error: withCommits(state, error) });',
    replace: "if (state.commitsBegan) return stay({ ...state, error: withCommits(state, error) });",
  },
  {
    name: "commits of a checkpoint begin before those of the one before are acknowledged",
    file: "src/jobmanager/checkpointing/checkpoint-commits.ts",
    find: "if (this.#commits.size === 0) this.#next();",
    replace: "this.#next();",
    tests: ["src/jobmanager/checkpointing/checkpoint-commits.test.ts"],
  },
  {
    name: "a commit of a checkpoint is tried again and again",
    file: "src/jobmanager/checkpointing/checkpoint-commits.ts",
    find: "    this.#commits = commitsWith(this.#commits, commit);\n    if (retry === null) fail(cause);",
    replace: "    if (retry === null) fail(cause);",
    tests: ["src/jobmanager/checkpointing/checkpoint-commits.test.ts"],
  },
  {
    name: "a commit of a checkpoint that the user has to mend is tried again",
    file: "src/jobmanager/checkpointing/checkpoint-commits.ts",
    find: "slots: cause.retryable ? [slotOf(task)] : []",
    replace: "slots: [slotOf(task)]",
    tests: ["src/jobmanager/checkpointing/checkpoint-commits.test.ts"],
  },
  {
    name: "what a checkpoint may hold is dropped when its job fails",
    file: "src/jobmanager/job-master.ts",
    find: "discard: action.discard && this.#checkpoints === null",
    replace: "discard: action.discard",
  },
  {
    name: "what a lost slot had prepared is dropped though a checkpoint may hold it",
    file: "src/jobmanager/job-master.ts",
    find: "if (this.#checkpoints === null) this.#post(action.slot",
    replace: "this.#post(action.slot",
  },
];
