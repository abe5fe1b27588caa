// Protocols over memory that threads share: what is caught by running their steps in all orders.

import type { Mutant } from "../mutant.ts";

const RING = "src/network/ring-link.ts";
const DOORBELL = "src/network/doorbell.ts";
const RING_STEPS = ["test/interleaving/ring.test.ts"];
const DOORBELL_STEPS = ["test/interleaving/doorbell.test.ts", ...RING_STEPS];
const POOL = "src/memory/segment-pool.ts";
const CONTROL = "src/memory/pool-control.ts";
const POOL_STEPS = ["test/interleaving/pool.test.ts"];

export const THREADS: readonly Mutant[] = [
  {
    name: "whoever waits long for the lock takes it from a thread that is at work",
    file: CONTROL,
    find: "    if (holder < 0 && sleeps > SLEEPS_DONE) unlock(words, -holder);",
    replace: "    if (sleeps > SLEEPS_DONE) Atomics.compareExchange(words, LOCK, holder, 0);",
    tests: POOL_STEPS,
  },
  {
    name: "the head of a ring does not wrap as its tail does",
    file: RING,
    find: "      this.#head = (this.#head + 1) | 0;",
    replace: "      this.#head += 1;",
    tests: ["src/network/data-link.test.ts", ...RING_STEPS],
  },
  {
    name: "a producer without room looks for some before it says that it starves, and not after",
    file: RING,
    find: "    Atomics.store(this.#i32, STARVED, 1);\n    if (!again()) return false;\n    Atomics.store(this.#i32, STARVED, 0);\n    return true;",
    replace: "    if (again()) return true;\n    Atomics.store(this.#i32, STARVED, 1);\n    return false;",
    tests: RING_STEPS,
  },
  {
    name: "a producer without room does not look again",
    file: RING,
    find: "    if (!again()) return false;\n",
    replace: "    if (again !== null) return false;\n",
    tests: RING_STEPS,
  },
  {
    name: "the tail of a ring is published before the kind of its element",
    file: RING,
    find: "    this.#i32[at + KIND] = entry.kind;\n    this.#i32[at + SEGMENT] = entry.segment;",
    replace:
      "    Atomics.store(this.#i32, TAIL, this.#tail + 1);\n    this.#i32[at + KIND] = entry.kind;\n    this.#i32[at + SEGMENT] = entry.segment;",
    tests: RING_STEPS,
  },
  {
    name: "a batch is encoded after its element was published",
    file: RING,
    find: "      writer.encode(view, segment * segmentSize);\n      this.#push({ kind: ELEMENT.batch, segment, size, more: 0, value: 0, records });",
    replace:
      "      this.#push({ kind: ELEMENT.batch, segment, size, more: 0, value: 0, records });\n      writer.encode(view, segment * segmentSize);",
    tests: RING_STEPS,
  },
  {
    name: "a segment counts as returned before its number is there",
    file: RING,
    find: "    this.#i32[RETURNS_AT + (this.#returnsTail & (ENTRIES - 1))] = segment;\n    this.#returnsTail = (this.#returnsTail + 1) | 0;\n    Atomics.store(this.#i32, RETURNS_TAIL, this.#returnsTail);",
    replace:
      "    const at = RETURNS_AT + (this.#returnsTail & (ENTRIES - 1));\n    this.#returnsTail = (this.#returnsTail + 1) | 0;\n    Atomics.store(this.#i32, RETURNS_TAIL, this.#returnsTail);\n    this.#i32[at] = segment;",
    tests: RING_STEPS,
  },
  {
    name: "a consumer looks who starves before it makes room",
    file: RING,
    find: "    Atomics.store(this.#i32, HEAD, this.#head);\n    if (Atomics.load(this.#i32, STARVED) === 1) {",
    replace:
      "    const starved = Atomics.load(this.#i32, STARVED);\n    Atomics.store(this.#i32, HEAD, this.#head);\n    if (starved === 1) {",
    tests: RING_STEPS,
  },
  {
    name: "a producer is rung before the segment is given back",
    file: RING,
    find: "    if (this.#held !== NO_SEGMENT) {\n      this.#giveBack(this.#held);\n      this.#held = NO_SEGMENT;\n    }\n    this.#passEntry();",
    replace:
      "    this.#passEntry();\n    if (this.#held !== NO_SEGMENT) {\n      this.#giveBack(this.#held);\n      this.#held = NO_SEGMENT;\n    }",
    tests: RING_STEPS,
  },
  {
    name: "who rings a slot wakes it before it moves the counter",
    file: DOORBELL,
    find: "    Atomics.add(this.#words, this.#at + COUNTER, 1);\n    Atomics.notify(this.#words, this.#at + COUNTER);",
    replace:
      "    Atomics.notify(this.#words, this.#at + COUNTER);\n    Atomics.add(this.#words, this.#at + COUNTER, 1);",
    tests: DOORBELL_STEPS,
  },
  {
    name: "who rings a slot says that it is awake",
    file: DOORBELL,
    find: "    Atomics.add(this.#words, this.#at + COUNTER, 1);\n",
    replace:
      "    Atomics.store(this.#words, this.#at + SLEEPING, 0);\n    Atomics.add(this.#words, this.#at + COUNTER, 1);\n",
    tests: DOORBELL_STEPS,
  },
  {
    name: "a slot looks for work before it says that it sleeps, and not after",
    file: "src/taskmanager/runner/turn-loop.ts",
    find: "    const counter = bell.fallAsleep();\n    const { busy, sleepMs } = turn();",
    replace: "    const { busy, sleepMs } = turn();\n    const counter = bell.fallAsleep();",
    tests: DOORBELL_STEPS,
  },
  {
    name: "a pool is repaired while somebody else is in a section",
    file: POOL,
    find: "    if (Atomics.compareExchange(words, c.LOCK, thread + 1, token) === thread + 1) {\n",
    replace: "    if (Atomics.load(words, c.LOCK) !== 0) {\n",
    tests: POOL_STEPS,
  },
  {
    name: "a segment is taken without the lock",
    file: POOL,
    find: "    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);\n    const free = words[c.FREE]! - 1;",
    replace: "    const free = words[c.FREE]! - 1;",
    tests: POOL_STEPS,
  },
  {
    name: "the count of free segments is read before the lock is had",
    file: POOL,
    find: "    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);\n    const held = words[at] === leased;\n    if (held) {\n      const free = words[c.FREE]!;",
    replace:
      "    const free = words[c.FREE]!;\n    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);\n    const held = words[at] === leased;\n    if (held) {",
    tests: POOL_STEPS,
  },
  {
    name: "what several segments need is not set aside",
    file: POOL,
    find: "      words[c.AVAILABLE]! -= count;\n",
    replace: "",
    tests: POOL_STEPS,
  },
  {
    name: "a section that its thread did not come to unlock stays locked",
    file: CONTROL,
    find: "    if (holder < 0 && sleeps > SLEEPS_DONE) unlock(words, -holder);\n    else ",
    replace: "    ",
    tests: ["src/memory/pool-repair.test.ts", ...POOL_STEPS],
  },
];
