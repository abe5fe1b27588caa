// Names of timers as small numbers, for as long as a timer has them: users may make names from data.
//
//   N1. Names that timers have are charged to the slot's heap for state, each once.

import { detachedText } from "../budget/detached-value.ts";
import { HeapAccount, type HeapBudget } from "../budget/heap-budget.ts";
import { textBytes } from "../budget/heap-size.ts";
import { ShardedMap } from "../budget/sharded-map.ts";

/** What a name takes beside its text: an entry of the map, and of the arrays by number. */
const NAME_BYTES = 80;
/** So many numbers are kept for further names when no timer is left. */
const KEPT_MAX = 64;

export class TimerNames {
  readonly #account: HeapAccount;
  readonly #ids = new ShardedMap<number>();
  readonly #names: string[] = [];
  readonly #uses: number[] = [];
  readonly #unused: number[] = [];

  constructor(operator: string, budget: HeapBudget) {
    const advice = "or give timers fewer different names: what they are made from can be kept in state";
    this.#account = new HeapAccount({ operator, state: "timers", budget, advice });
  }

  get bytes(): number {
    return this.#account.bytes;
  }

  /** -1 when no timer has this name. */
  find(name: string): number {
    return this.#ids.get(name) ?? -1;
  }

  name(id: number): string {
    return this.#names[id]!;
  }

  /** All names that timers have, with their numbers; null when there are more than `max`. */
  all(max: number): (readonly [number, string])[] | null {
    if (this.#ids.size > max) return null;
    return this.#names.flatMap((name, id) => (this.#uses[id]! > 0 ? [[id, name] as const] : []));
  }

  /** One more timer has the name. Throws STATE_BUDGET_EXCEEDED. */
  retain(name: string): number {
    const id = this.#ids.get(name) ?? this.#add(name);
    this.#uses[id]! += 1;
    return id;
  }

  /** One timer less has the name. */
  release(id: number): void {
    this.#uses[id]! -= 1;
    if (this.#uses[id] !== 0) return;
    const name = this.#names[id]!;
    this.#ids.delete(name);
    this.#names[id] = "";
    this.#unused.push(id);
    this.#account.charge(-nameBytes(name));
    if (this.#ids.size === 0 && this.#names.length > KEPT_MAX) this.clear();
  }

  /** Forgets all names. */
  clear(): void {
    this.#account.charge(-this.#account.bytes);
    this.#ids.clear();
    this.#names.length = 0;
    this.#uses.length = 0;
    this.#unused.length = 0;
  }

  #add(name: string): number {
    this.#account.charge(nameBytes(name));
    const id = this.#unused.pop() ?? this.#names.length;
    const own = detachedText(name);
    this.#ids.add(own, id);
    this.#names[id] = own;
    this.#uses[id] = 0;
    return id;
  }
}

function nameBytes(name: string): number {
  return NAME_BYTES + textBytes(name);
}
