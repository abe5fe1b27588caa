import type { Mutant } from "../mutant.ts";

const POOL = "src/memory/segment-pool.ts";
const REPAIR = "src/memory/pool-repair.ts";

export const MEMORY: readonly Mutant[] = [
  {
    name: "one segment can be had past a group's limit",
    file: POOL,
    find: "words[group + c.GROUP_USED]! < words[group + c.GROUP_LIMIT]!",
    replace: "words[group + c.GROUP_USED]! <= words[group + c.GROUP_LIMIT]!",
  },
  {
    name: "a release does not raise the segment's generation",
    file: POOL,
    find: "const freed = ((generation + 1) & c.GENERATION_MASK) << c.GENERATION_SHIFT;",
    replace: "const freed = (generation & c.GENERATION_MASK) << c.GENERATION_SHIFT;",
  },
  {
    name: "a closed owner's id is good again for the next owner at its place",
    file: POOL,
    find: "    words[owner + c.OWNER_EPOCH]! += 1;\n    words[owner + c.OWNER_NEXT] = words[c.OWNER_FREE]!;",
    replace: "    words[owner + c.OWNER_NEXT] = words[c.OWNER_FREE]!;",
  },
  {
    name: "several segments can be had past a group's limit",
    file: POOL,
    find: "words[group + c.GROUP_USED]! + count <= words[group + c.GROUP_LIMIT]!",
    replace: "words[group + c.GROUP_USED]! <= words[group + c.GROUP_LIMIT]!",
  },
  {
    name: "closing an owner keeps the room of what was set aside for it",
    file: POOL,
    find: "    words[group + c.GROUP_USED]! -= setAside;\n",
    replace: "",
    tests: ["src/memory/pool-repair.test.ts", "test/interleaving/pool.test.ts"],
  },
  {
    name: "repair takes what is set aside for somebody for free",
    file: REPAIR,
    find: "    available -= setAside;\n",
    replace: "    available -= 0 * setAside;\n",
    tests: ["src/memory/pool-repair.test.ts", "test/interleaving/pool.test.ts"],
  },
  {
    name: "more managed memory than state can address is taken",
    file: "src/memory/task-manager-memory.ts",
    find: "if (memory.managedBlocks * memory.managedBlockSize <= MANAGED_MAX) return memory;",
    replace: "if (memory.slot.managedBlocks * memory.managedBlockSize < Infinity) return memory;",
    tests: ["src/memory/task-manager-memory.test.ts"],
  },
];
