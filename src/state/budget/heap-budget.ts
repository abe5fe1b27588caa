// The heap that the states of a slot may hold together, and the part of it that one state holds.
//
//   B1. What a state holds is charged before it is stored: a refusal leaves everything as it was.

import { UserError } from "../../base/errors.ts";
import { memorySizeText } from "../../base/memory-size.ts";

export type HeapBudget = { readonly limitBytes: number; readonly configKey: string; usedBytes: number };

export type HeapAccountOptions = {
  readonly operator: string;
  readonly state: string;
  readonly budget: HeapBudget;
  /** What helps beside more memory. */
  readonly advice: string;
};

export class HeapAccount {
  bytes = 0;
  readonly #options: HeapAccountOptions;

  constructor(options: HeapAccountOptions) {
    this.#options = options;
  }

  /** Throws STATE_BUDGET_EXCEEDED. */
  charge(bytes: number): void {
    const { budget } = this.#options;
    if (bytes > 0 && budget.usedBytes + bytes > budget.limitBytes) throw this.#exceeded();
    budget.usedBytes += bytes;
    this.bytes += bytes;
  }

  #exceeded(): UserError {
    const { operator, state, advice, budget } = this.#options;
    const held = `the slot's share of the heap for state, ${memorySizeText(budget.limitBytes)}, is used up`;
    return new UserError(
      "STATE_BUDGET_EXCEEDED",
      `state "${state}" of operator "${operator}" holds about ${memorySizeText(this.bytes)} and cannot grow: ${held}`,
      { operator, fix: `Raise ${budget.configKey}, ${advice}.` },
    );
  }
}
