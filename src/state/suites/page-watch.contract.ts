// The debug mode of managed pages: all that are held are frozen now and then, and one that changes without having been
// asked for fails the test (A4 of page-allocator.ts).

import assert from "node:assert/strict";
import { PAGE_BYTES, type PageAllocator } from "../pages/page-allocator.ts";

export class PageWatch {
  readonly #allocator: PageAllocator;
  /** What the pages that are frozen held at that time. */
  readonly #frozen = new Map<number, Buffer>();
  /** Calls of `turn`, and the one that freezes next. */
  #turns = 0;
  #next = 1;

  constructor(allocator: PageAllocator) {
    this.#allocator = allocator;
  }

  /** Freezes at the first calls, and then in growing distances, so that large states can be watched as well. */
  turn(): void {
    this.#turns += 1;
    if (this.#turns < this.#next) return;
    this.#next += 1 + (this.#next >> 1);
    this.freeze();
  }

  freeze(): void {
    this.check();
    this.#frozen.clear();
    for (const page of this.#allocator.freezeAll((changing) => this.#changing(changing))) {
      this.#frozen.set(page, Buffer.from(this.#bytes(page)));
    }
  }

  /** Fails when a page that is frozen has changed. */
  check(): void {
    for (const page of this.#frozen.keys()) this.#expectSame(page);
  }

  #changing(page: number): void {
    this.#expectSame(page);
    this.#frozen.delete(page);
  }

  #expectSame(page: number): void {
    const before = this.#frozen.get(page);
    if (before === undefined || before.equals(this.#bytes(page))) return; // Undefined: a snapshot has frozen it since.
    const now = this.#bytes(page);
    const at = before.findIndex((byte, index) => byte !== now[index]);
    assert.fail(`word ${at >> 3} of page ${page} has changed, and nobody had asked whether the page is writable`);
  }

  #bytes(page: number): Buffer {
    return this.#allocator.view.bytes.subarray(page * 8, page * 8 + PAGE_BYTES);
  }
}
