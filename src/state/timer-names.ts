// Names of timers as small numbers, for as long as a timer has them: users may make names from data.

export class TimerNames {
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #uses: number[] = [];
  readonly #unused: number[] = [];

  /** -1 when no timer has this name. */
  find(name: string): number {
    return this.#ids.get(name) ?? -1;
  }

  name(id: number): string {
    return this.#names[id]!;
  }

  /** One more timer has the name. */
  retain(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#unused.pop() ?? this.#names.length;
      this.#ids.set(name, id);
      this.#names[id] = name;
      this.#uses[id] = 0;
    }
    this.#uses[id]! += 1;
    return id;
  }

  /** One timer less has the name. */
  release(id: number): void {
    this.#uses[id]! -= 1;
    if (this.#uses[id] !== 0) return;
    this.#ids.delete(this.#names[id]!);
    this.#unused.push(id);
  }
}
