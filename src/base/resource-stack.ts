// Ownership that survives a half-finished start: resources close in reverse order, and one failed close leaks no other.

export class ResourceStack implements AsyncDisposable {
  #owned: AsyncDisposable[] = [];

  own<R extends AsyncDisposable>(resource: R): R {
    this.#owned.push(resource);
    return resource;
  }

  defer(close: () => void | Promise<void>): void {
    this.#owned.push({ [Symbol.asyncDispose]: async () => close() });
  }

  /** Hands everything to a new owner; this stack then closes nothing. */
  move(): ResourceStack {
    const target = new ResourceStack();
    target.#owned = this.#owned.splice(0);
    return target;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const resource of this.#owned.splice(0).reverse()) {
      try {
        await resource[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error); // Reported together below: the others must still close.
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, `${failures.length} resources failed to close`);
  }
}
