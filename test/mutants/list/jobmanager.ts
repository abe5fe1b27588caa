import type { Mutant } from "../mutant.ts";

const STATE = "src/jobmanager/job-state.ts";
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
    find: `next = { ...step.state, outcome: "failed" };`,
    replace: "next = step.state;",
  },
  {
    name: "sinks commit when the last but one task has finished",
    file: STATE,
    find: "if (done.size < state.tasks || !isUnderWay(state))",
    replace: "if (done.size < state.tasks - 1 || !isUnderWay(state))",
  },
  {
    name: "a task that says twice that it has finished counts as two",
    file: STATE,
    find: "const done = new Set(state.finished).add(task);",
    replace: "const done = new Set(state.finished).add(state.finished.has(task) ? `${task}again` : task);",
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
    find: "const cause = error ?? (isUnderWay(state) ? closedEarly(slot) : null);",
    replace: "const cause = error;",
  },
  {
    name: "a job is done when its first slot has closed",
    file: STATE,
    find: "if (slots.size === state.slots) {",
    replace: "if (slots.size >= 1) {",
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
    find: "    for (const slot of open) this.#onClosed(slot, null);\n",
    replace: "",
  },
  {
    name: "an error while a slot closes is lost",
    file: MASTER,
    find: "error: this.#closeErrors.get(message.slot) ?? message.error,",
    replace: "error: message.error,",
  },
  {
    name: "a slot that was lost is waited for",
    file: MASTER,
    find: '        this.#on({ kind: "closed", slot: message.slot, error: null });\n',
    replace: "",
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
];
