import type { Mutant } from "../mutant.ts";

const POOL = "src/memory/segment-pool.ts";
const QUEUE = "src/memory/allocation-queue.ts";
const REPAIR = "src/memory/pool-repair.ts";

export const MEMORY: readonly Mutant[] = [
  {
    name: "one segment can be had past a group's limit",
    file: POOL,
    find: "words[group + c.GROUP_USED]! < words[group + c.GROUP_LIMIT]!\n",
    replace: "words[group + c.GROUP_USED]! <= words[group + c.GROUP_LIMIT]!\n",
  },
  {
    name: "one segment can be had while others wait for theirs",
    file: POOL,
    find: "      words[c.AVAILABLE]! > 0 &&\n      words[c.QUEUE_HEAD] === 0 &&\n",
    replace: "      words[c.AVAILABLE]! > 0 &&\n",
  },
  {
    name: "a release wakes nobody who waits in the pool's queue",
    file: POOL,
    find: "const waiting = words[c.QUEUE_HEAD] !== 0 || words[group + c.GROUP_HEAD] !== 0;",
    replace: "const waiting = words[group + c.GROUP_HEAD] !== 0;",
  },
  {
    name: "a release does not raise the segment's generation",
    file: POOL,
    find: "const freed = ((generation + 1) & c.GENERATION_MASK) << c.GENERATION_SHIFT;",
    replace: "const freed = (generation & c.GENERATION_MASK) << c.GENERATION_SHIFT;",
  },
  {
    name: "a thread that ended keeps the requests that it had queued",
    file: POOL,
    find: "    this.#cancelAll(c.REQUEST_TOKEN, thread + 1);\n",
    replace: "",
  },
  {
    name: "closing an owner leaves its waiting requests in the queue",
    file: POOL,
    find: "    this.#cancelAll(c.REQUEST_OWNER, owner);\n",
    replace: "",
  },
  {
    name: "a closed owner's id is good again for the next owner at its place",
    file: POOL,
    find: "    words[owner + c.OWNER_EPOCH]! += 1;\n    words[owner + c.OWNER_NEXT] = words[c.OWNER_FREE]!;",
    replace: "    words[owner + c.OWNER_NEXT] = words[c.OWNER_FREE]!;",
  },
  {
    name: "a request that leaves the pool's queue keeps the room of its group",
    file: QUEUE,
    find: "words[group + c.GROUP_USED]! -= inGroup ? 0 : words[request + c.REQUEST_COUNT]!;",
    replace: "words[group + c.GROUP_USED]! -= inGroup ? words[request + c.REQUEST_COUNT]! : 0;",
  },
  {
    name: "a request that is given up wakes nobody behind it",
    file: QUEUE,
    find: "  if (leaves) settle(control, group);\n",
    replace: "",
  },
  {
    name: "repair forgets who waits",
    file: REPAIR,
    find: "    words[c.WAITING]! += requests.length;\n",
    replace: "",
  },
];
