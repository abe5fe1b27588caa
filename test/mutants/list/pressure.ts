import type { Mutant } from "../mutant.ts";

const CHANNEL = "src/network/output-channel.ts";
const RING = "src/network/ring-link.ts";
const APPETITE = "src/taskmanager/task/input-appetite.ts";

/** Of what is in flight to slow tasks. */
export const PRESSURE: readonly Mutant[] = [
  {
    name: "what a receiver wants in flight is passed",
    file: CHANNEL,
    find: "return this.sender.recordsInFlight() + records <= this.#appetite;",
    replace: "return true;",
  },
  {
    name: "a batch that is larger than all that its receiver wants never goes out",
    file: CHANNEL,
    find: "return this.#leaves(records) || !this.sender.ringAtRelease() || this.#leaves(records);",
    replace: "return this.#leaves(records) || (this.sender.ringAtRelease() && this.#leaves(records));",
  },
  {
    name: "a receiver that had enough does not ring",
    file: CHANNEL,
    find: "return this.#leaves(records) || !this.sender.ringAtRelease() || this.#leaves(records);",
    replace: "return this.#leaves(records);",
  },
  {
    name: "records that have come through a ring count as in flight for ever",
    file: RING,
    find: "      this.#recordsInFlight -= this.#records[this.#counted & (ENTRIES - 1)]!;\n",
    replace: "",
    tests: ["src/network/data-link.test.ts"],
  },
  {
    name: "a task counts as slow for having nothing to do",
    file: APPETITE,
    find: "    if (!this.#isDry) this.#activeMs += beganMs - this.#lastMs;",
    replace: "    this.#activeMs += beganMs - this.#lastMs;",
  },
  {
    name: "a sink that takes many and then waits is measured apart from its waits",
    file: APPETITE,
    find: "if (records > 0 && this.#activeMs >= this.#options.periodMs) this.#measure();",
    replace: "if (this.#activeMs >= this.#options.periodMs) this.#measure();",
  },
  {
    name: "a checkpoint that is late names tasks that have done their part",
    file: "src/jobmanager/checkpointing/coordinator.ts",
    find: "const late = (running?.tasks ?? []).filter((task) => waiting.has(task));",
    replace: "const late = running?.tasks ?? [];",
  },
  {
    name: "a task that was not measured yet wants as much as there is room for",
    file: CHANNEL,
    find: "this.sender.appetite() || this.#appetiteAtFirst || NO_LIMIT",
    replace: "this.sender.appetite() || NO_LIMIT",
  },
];
