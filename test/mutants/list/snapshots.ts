import type { Mutant } from "../mutant.ts";

const FROZEN = ["src/state/managed/frozen-state.test.ts"];
const SNAPSHOT = ["src/state/pages/page-snapshot.test.ts"];
const SHARED = ["src/checkpoint/shared-files.model.test.ts"];

/** Snapshots by pages, and the files that checkpoints share. */
export const SNAPSHOTS: readonly Mutant[] = [
  {
    name: "a page is taken after it has changed",
    file: "src/state/pages/page-allocator.ts",
    find: "    this.#owners[this.#owner[number]!]!.changing(page, saved);\n",
    replace: "    queueMicrotask(() => this.#owners[this.#owner[number]!]?.changing(page, saved));\n",
    tests: FROZEN,
  },
  {
    name: "a page that has changed is known to lie where it was saved",
    file: "src/state/pages/page-allocator.ts",
    find: "    this.#saved[number] = 0;\n",
    replace: "",
    tests: FROZEN,
  },
  {
    name: "a snapshot refers to what no completed checkpoint has",
    file: "src/state/pages/page-packs.ts",
    find: "isKept: false, isRetired: false, pages: 0, used: 0 };\n",
    replace: "isKept: false, isRetired: false, pages: 0, used: 0 };\n    this.#usable[slot] = 1;\n",
    tests: FROZEN,
  },
  {
    name: "a page is told to one of two snapshots that wait for it",
    file: "src/state/pages/memory-owner.ts",
    find: "for (const watcher of this.watchers) watcher.changing(page, saved);",
    replace: "for (const watcher of this.watchers) return watcher.changing(page, saved);",
    tests: FROZEN,
  },
  {
    name: "a snapshot begins and freezes nothing",
    file: "src/state/pages/page-snapshot.ts",
    find: "    allocator.freezeHeld();\n",
    replace: "",
    tests: SNAPSHOT,
  },
  {
    name: "a page that a completed checkpoint has is copied when it changes before its turn",
    file: "src/state/pages/page-snapshot.ts",
    find: "this.#isReferred(saved) ? saved : this.#put(page, false);",
    replace: "this.#put(page, false);",
    tests: SNAPSHOT,
  },
  {
    name: "a page that a snapshot refers to is not counted",
    file: "src/state/pages/page-snapshot.ts",
    find: "    packs.count(saved, this.#uses);\n    return true;",
    replace: "    return true;",
    tests: SNAPSHOT,
  },
  {
    name: "a snapshot that is given up forgets where the pages are known to lie that it has not come to",
    file: "src/state/pages/page-snapshot.ts",
    find: "      if (saved !== 0) packs.count(saved, this.#uses);\n",
    replace: "",
    tests: SNAPSHOT,
  },
  {
    name: "a snapshot that has ended goes on copying what changes",
    file: "src/state/pages/page-snapshot.ts",
    find: "    owner.watchers.delete(this);\n",
    replace: "",
    tests: SNAPSHOT,
  },
  {
    name: "what one snapshot saves while another one is under way is not counted by that",
    file: "src/state/pages/page-packs.ts",
    find: "    for (const uses of this.#counting) uses[pack.slot]! += 1;\n",
    replace: "    this.#counting.forEach(() => 0);\n",
    tests: SNAPSHOT,
  },
  {
    name: "packs that key groups refer to are not told",
    file: "src/state/store/store-pages.ts",
    find: "    for (const pack of packs) this.#referred.set(pack.name, pack);\n",
    replace: "",
    tests: FROZEN,
  },
  {
    name: "what was loaded from a checkpoint is written again",
    file: "src/state/store/store-pages.ts",
    find: "      allocator.setSaved(pages[n]!, at);\n",
    replace: "",
    tests: FROZEN,
  },
  {
    name: "timers keep the numbers of names that another subtask gave",
    file: "src/state/store/keyed-store.ts",
    find: "this.#timers.unload(keyGroup - this.#options.keyGroups.first, new Map(names), timers);",
    replace: "void names;",
    tests: FROZEN,
  },
  {
    name: "a shared file goes with the first checkpoint that used it",
    file: "src/checkpoint/shared-files.ts",
    find: "    if (this.#counts.has(name)) return false;\n",
    replace: "",
    tests: SHARED,
  },
  {
    name: "what an aborted checkpoint has written stays",
    file: "src/checkpoint/completed-store.ts",
    find: "(wasUnknown ? written <= id : written === id)",
    replace: "(wasUnknown && written <= id)",
    tests: SHARED,
  },
  {
    name: "files of a checkpoint that cannot be read are swept",
    file: "src/checkpoint/shared-files.ts",
    find: "files === null && id >= written",
    replace: "files === null && id > written && id < 0",
    tests: SHARED,
  },
];
