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
    name: "the owner of a pool is not found by an id beyond 32 bits",
    file: POOL,
    find: "=== Math.floor(ownerId / c.OWNERS_MAX)) return at;",
    replace: "=== ownerId >> 12) return at;",
    tests: ["src/memory/segment-pool.test.ts"],
  },
  {
    name: "keys of a batch take more than positions reach",
    file: "src/state/keys/key-batch.ts",
    find: "    if (needed > ENCODED_BYTES_MAX) throw valueTooLarge(needed);\n",
    replace: "",
    tests: ["src/state/keys/key-batch.test.ts"],
  },
  {
    name: "a value takes more than positions in it reach",
    file: "src/types/bytes/byte-buffer.ts",
    find: "    if (needed > ENCODED_BYTES_MAX) throw valueTooLarge(needed);\n",
    replace: "",
    tests: ["src/types/bytes/byte-buffer.test.ts"],
  },
  {
    name: "long variable parts are copied with 32 bits for their place in managed memory",
    file: "src/state/table/blob-log.ts",
    find: "if (size > 64) target.set(source.subarray(from, from + size), to);",
    replace: "if (size > 64) (source as Buffer).copy(target, to, from, from + size);",
    tests: ["src/state/suites/keyed-state.model.test.ts"],
  },
  {
    name: "more managed memory than state can address is taken",
    file: "src/memory/task-manager-memory.ts",
    find: "if (memory.managedBlocks * memory.managedBlockSize <= MANAGED_MAX) return memory;",
    replace: "if (memory.slot.managedBlocks * memory.managedBlockSize < Infinity) return memory;",
    tests: ["src/memory/task-manager-memory.test.ts"],
  },
];
