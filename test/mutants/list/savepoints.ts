import type { Mutant } from "../mutant.ts";

const SAVEPOINT = "src/checkpoint/savepoint.ts";
const DISPOSE = "src/checkpoint/savepoint-dispose.ts";
const COORDINATOR = "src/jobmanager/checkpointing/coordinator.ts";
const CONTROL = "src/client/control/run-control.ts";

/** Of savepoints, and of what is asked of a job from outside. */
export const SAVEPOINTS: readonly Mutant[] = [
  {
    name: "a savepoint has its name before it is written",
    file: SAVEPOINT,
    find: "    return await written(path, async () => {\n",
    replace: "    return await written(path, async () => {\n      await disk.makeDirectory(path);\n",
  },
  {
    name: "two stops with a savepoint at once go ahead both",
    file: "src/client/savepoints.ts",
    find: "    this.#isLastAsked = true;\n",
    replace: "",
  },
  {
    name: "a savepoint that could not be written leaves what there is of it",
    file: SAVEPOINT,
    find: "    await savepointAbort(disk, target).catch(() => undefined); // Why it was not written is what counts.\n",
    replace: "",
  },
  {
    name: "a savepoint names files of its checkpoint",
    file: SAVEPOINT,
    find: '      if ("inline" in handle) return handle;\n',
    replace: "      if (handle !== null) return handle;\n",
  },
  {
    name: "a checkpoint can be disposed of",
    file: DISPOSE,
    find: '  if (metadata.kind === "savepoint") return metadata;\n',
    replace: "  if (metadata.id > 0) return metadata;\n",
  },
  {
    name: "a savepoint that a job needs is disposed of",
    file: DISPOSE,
    find: "  await refuseInUse(disk, path);\n",
    replace: "",
  },
  {
    name: "what a job reads of a checkpoint is discarded",
    file: "src/checkpoint/completed-store.ts",
    find: "    if (this.#held.has(id)) {\n",
    replace: "    if (this.#held.has(id) && id < 0) {\n",
  },
  {
    name: "a checkpoint is completed after a later one",
    file: COORDINATOR,
    find: 'id > pending.id && phase === "storing"',
    replace: 'id > pending.id + 1_000 && phase === "storing"',
  },
  {
    name: "a checkpoint begins beside that of a savepoint",
    file: COORDINATOR,
    find: '  if (pending.some(({ kind }) => kind === "savepoint")) return false;\n',
    replace: "",
  },
  {
    name: "whoever connects may end a job",
    file: CONTROL,
    find: "timingSafeEqual(given, this.#token)) return;",
    replace: "timingSafeEqual(given, given)) return;",
  },
  {
    name: "a job is ended before whoever asked has an answer",
    file: CONTROL,
    find: "    await Promise.allSettled(this.#answering);\n",
    replace: "",
  },
];
