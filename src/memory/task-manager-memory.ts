// How the memory of a TaskManager is divided: Flink's model, with V8's own needs in the place of the JVM's. For users:
// docs/memory.md.
//
//   process ─┬─ V8 overhead
//            └─ flink (M) ─┬─ heap (I) ──────┬─ framework heap   main thread
//                          │                 └─ task heap        ÷ slots: what each may keep
//                          └─ off-heap (O) ──┬─ framework off-heap
//                                            ├─ task off-heap
//                                            ├─ managed          pool of blocks, ÷ slots: the share of each
//                                            └─ network          pool of segments
//
// Pure: configuration and facts in, sizes out.
//
// M1. process = overhead + flink and flink = the sum of its six parts, to the byte.
// M2. Every size says where it comes from. Settings that cannot hold together are refused with every term, its value
//     and its key.
// M3. What is set is kept: a remainder falls to the task heap or, when that is set, to the network memory, within its
//     bounds.

import { UserError } from "../base/errors.ts";
import { memorySizeText } from "../base/memory-size.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { BoundedShare, MemoryTerm } from "./memory-term.ts";
import {
  conflict,
  derived,
  given,
  impossible,
  rest,
  shareBeside,
  shareOf,
  sum,
  termText,
  withinBounds,
} from "./memory-term.ts";

export type TaskManagerMemory = Sizes &
  Parts & {
    readonly heap: MemoryTerm;
    readonly offHeap: MemoryTerm;
    readonly slots: number;
    readonly slot: SlotMemory;
    /** Of the managed pool: the same number for each slot. */
    readonly managedBlocks: number;
    readonly managedBlockSize: number;
    readonly networkSegments: number;
    readonly networkSegmentSize: number;
  };

type Sizes = { readonly process: MemoryTerm; readonly v8Overhead: MemoryTerm; readonly flink: MemoryTerm };
type Fixed = {
  readonly frameworkHeap: MemoryTerm;
  readonly frameworkOffHeap: MemoryTerm;
  readonly taskOffHeap: MemoryTerm;
};
type Parts = Fixed & { readonly taskHeap: MemoryTerm; readonly managed: MemoryTerm; readonly network: MemoryTerm };

/** What each slot gets. The two generations are V8's `resourceLimits`, and together the slot's heap. */
export type SlotMemory = {
  readonly heap: MemoryTerm;
  readonly youngGeneration: MemoryTerm;
  readonly oldGeneration: MemoryTerm;
  readonly managed: MemoryTerm;
  readonly managedBlocks: number;
};

/** `machineBytes`: of the machine, or of the container when that has less. */
export type MemoryFacts = { readonly machineBytes: number };

const MIB = 1024 ** 2;
const PROCESS_DEFAULT_MIN = 1024 * MIB;
const PROCESS_DEFAULT_MAX = 8 * 1024 * MIB;
/** Less does not hold the engine's own code and a job. */
const SLOT_HEAP_MIN = 32 * MIB;
const YOUNG_GENERATION_MAX = 48 * MIB;
/** Where the search for a total that would do begins: 1 TiB. */
const TOTAL_MIB_MAX = 2 ** 20;

const NETWORK: BoundedShare = {
  name: "network",
  fraction: OPTIONS.networkFraction,
  min: OPTIONS.networkMin,
  max: OPTIONS.networkMax,
};
const OVERHEAD: BoundedShare = {
  name: "V8 overhead",
  fraction: OPTIONS.v8OverheadFraction,
  min: OPTIONS.v8OverheadMin,
  max: OPTIONS.v8OverheadMax,
};

/** Words of state are numbered in 31 bits (`state/pages/page-allocator.ts`), four bytes each. */
const MANAGED_MAX = 8 * 1024 * MIB;

/**
 * Throws MEMORY_CONFLICT when settings contradict each other, MEMORY_IMPOSSIBLE when there is not enough for all of
 * them, MEMORY_OUT_OF_REACH when there is more managed memory than state can address.
 */
export function taskManagerMemory(configuration: Configuration, facts: MemoryFacts): TaskManagerMemory {
  const memory = memoryPossible(configuration, facts);
  if (memory.managedBlocks * memory.managedBlockSize <= MANAGED_MAX) return memory;
  const most = memorySizeText(MANAGED_MAX);
  throw new UserError(
    "MEMORY_OUT_OF_REACH",
    `${termText(memory.managed)} is more than the ${most} that state can address`,
    {
      fix: `set ${OPTIONS.managedSize.key} to ${most} or less`,
    },
  );
}

function memoryPossible(configuration: Configuration, facts: MemoryFacts): TaskManagerMemory {
  try {
    return memoryDerive(configuration, facts);
  } catch (error) {
    if (!isImpossible(error)) throw error;
    const enough = leastTotal(configuration);
    throw enough === null ? error : impossible(error.message, `${error.fix}; ${enough} would do`);
  }
}

const isImpossible = (error: unknown): error is UserError =>
  error instanceof UserError && error.code === "MEMORY_IMPOSSIBLE";

/** The least total, in whole MiB, with which all else that is set can be; null when none of that kind is taken. */
function leastTotal(configuration: Configuration): string | null {
  if (configuration.isSet(OPTIONS.taskHeapSize) && configuration.isSet(OPTIONS.managedSize)) return null;
  const { key } = configuration.isSet(OPTIONS.flinkSize) ? OPTIONS.flinkSize : OPTIONS.processSize;
  const isEnough = (mib: number): boolean => {
    try {
      // Of the origin that outranks all others.
      const total = configuration.with({ origin: { kind: "command line" }, values: { [key]: `${mib}m` } });
      return memoryDerive(total, { machineBytes: Infinity }) !== null;
    } catch {
      return false;
    }
  };
  let least = 1;
  let most = TOTAL_MIB_MAX;
  if (!isEnough(most)) return null;
  while (least < most) {
    const middle = Math.floor((least + most) / 2);
    if (isEnough(middle)) most = middle;
    else least = middle + 1;
  }
  return `${key} of ${memorySizeText(least * 2 ** 20)}`;
}

function memoryDerive(configuration: Configuration, facts: MemoryFacts): TaskManagerMemory {
  const sizes = sizesDerive(configuration, facts);
  if (sizes.process.bytes > facts.machineBytes) {
    const message = `${termText(sizes.process)} is more than the machine's ${memorySizeText(facts.machineBytes)}`;
    throw impossible(message, `lower ${OPTIONS.processSize.key}`);
  }
  const slots = configuration.get(OPTIONS.numberOfTaskSlots);
  const networkSegmentSize = configuration.get(OPTIONS.segmentSize);
  const slot = slotDerive(configuration, sizes, slots);
  return {
    ...sizes,
    heap: sum("heap", [sizes.frameworkHeap, sizes.taskHeap]),
    offHeap: sum("off-heap", [sizes.frameworkOffHeap, sizes.taskOffHeap, sizes.managed, sizes.network]),
    slots,
    slot,
    managedBlocks: slot.managedBlocks * slots,
    managedBlockSize: configuration.get(OPTIONS.managedBlockSize),
    networkSegments: Math.floor(sizes.network.bytes / networkSegmentSize),
    networkSegmentSize,
  };
}

/**
 * Which of the three ways of setting the total is taken: from the parts up, from flink.size both ways, from
 * process.size down.
 */
function sizesDerive(configuration: Configuration, facts: MemoryFacts): Sizes & Parts {
  const flinkSet = given(configuration, OPTIONS.flinkSize, "flink size");
  if (flinkSet !== null) return { ...processAround(configuration, flinkSet), ...partsWithin(configuration, flinkSet) };
  const taskHeap = given(configuration, OPTIONS.taskHeapSize, "task heap");
  const managed = given(configuration, OPTIONS.managedSize, "managed");
  if (taskHeap !== null && managed !== null) {
    const fixed = fixedParts(configuration);
    const network = shareBeside(configuration, NETWORK, [...Object.values(fixed), taskHeap, managed]);
    const parts = { ...fixed, taskHeap, managed, network };
    return {
      ...processAround(configuration, sum("flink size", Object.values(parts), OPTIONS.flinkSize.key)),
      ...parts,
    };
  }
  const process = given(configuration, OPTIONS.processSize, "process size") ?? processDefault(facts);
  const v8Overhead = shareOf(configuration, OVERHEAD, process);
  const flink = rest("flink size", process, [v8Overhead], OPTIONS.processSize.key);
  return { process, v8Overhead, flink, ...partsWithin(configuration, flink) };
}

function processDefault({ machineBytes }: MemoryFacts): MemoryTerm {
  const half = Math.floor(machineBytes / 2);
  const bytes = Math.min(Math.max(half, PROCESS_DEFAULT_MIN), PROCESS_DEFAULT_MAX);
  const range = `at least ${memorySizeText(PROCESS_DEFAULT_MIN)}, at most ${memorySizeText(PROCESS_DEFAULT_MAX)}`;
  const formula = `half of the machine's ${memorySizeText(machineBytes)}, ${range}`;
  return derived("process size", bytes, formula, OPTIONS.processSize.key);
}

/** The process size around a known flink size: as set, if the overhead that this leaves is within its bounds. */
function processAround(configuration: Configuration, flink: MemoryTerm): Sizes {
  const process = given(configuration, OPTIONS.processSize, "process size");
  if (process === null) {
    const v8Overhead = shareBeside(configuration, OVERHEAD, [flink]);
    return { process: sum("process size", [flink, v8Overhead], OPTIONS.processSize.key), v8Overhead, flink };
  }
  const left = rest(OVERHEAD.name, process, [flink], OVERHEAD.fraction.key);
  return { process, v8Overhead: withinBounds(configuration, OVERHEAD, left, [process, flink]), flink };
}

/** The six parts of a known flink size. */
function partsWithin(configuration: Configuration, flink: MemoryTerm): Parts {
  const fixed = fixedParts(configuration);
  const managed = given(configuration, OPTIONS.managedSize, "managed") ?? managedShare(configuration, flink);
  const taskHeapSet = given(configuration, OPTIONS.taskHeapSize, "task heap");
  if (taskHeapSet !== null) {
    const others = [...Object.values(fixed), taskHeapSet, managed];
    const left = rest(NETWORK.name, flink, others, NETWORK.fraction.key);
    const network = withinBounds(configuration, NETWORK, left, [flink, ...others]);
    return { ...fixed, taskHeap: taskHeapSet, managed, network };
  }
  const network = shareOf(configuration, NETWORK, flink);
  const others = [...Object.values(fixed), managed, network];
  return { ...fixed, taskHeap: rest("task heap", flink, others, OPTIONS.taskHeapSize.key), managed, network };
}

function fixedParts(configuration: Configuration): Fixed {
  return {
    frameworkHeap: given(configuration, OPTIONS.frameworkHeapSize, "framework heap"),
    frameworkOffHeap: given(configuration, OPTIONS.frameworkOffHeapSize, "framework off-heap"),
    taskOffHeap: given(configuration, OPTIONS.taskOffHeapSize, "task off-heap"),
  };
}

function managedShare(configuration: Configuration, flink: MemoryTerm): MemoryTerm {
  const fraction = configuration.get(OPTIONS.managedFraction);
  const formula = `${fraction} × flink size ${memorySizeText(flink.bytes)}`;
  return derived("managed", Math.floor(flink.bytes * fraction), formula, OPTIONS.managedFraction.key);
}

function slotDerive(configuration: Configuration, sizes: Sizes & Parts, slots: number): SlotMemory {
  const followsJob = configuration.origin(OPTIONS.numberOfTaskSlots).kind === "job";
  const slotsKey = followsJob ? "the slots that the job needs" : OPTIONS.numberOfTaskSlots.key;
  const of = (term: MemoryTerm) => `${term.name} ${memorySizeText(term.bytes)} ÷ ${slots}`;
  const heap = derived("slot heap", Math.floor(sizes.taskHeap.bytes / slots), of(sizes.taskHeap));
  if (heap.bytes < SLOT_HEAP_MIN) {
    const short = `${memorySizeText(heap.bytes)} of V8 heap, ${memorySizeText(SLOT_HEAP_MIN)} is the least`;
    const message = `each slot would have ${short}: ${termText(sizes.taskHeap)} ÷ ${slots} (${slotsKey})`;
    const lower = followsJob ? `the job's parallelism (--parallelism, ${OPTIONS.parallelism.key})` : slotsKey;
    throw impossible(message, `raise ${sizes.process.key} or ${OPTIONS.taskHeapSize.key}, or lower ${lower}`);
  }
  const youngGeneration = youngDerive(configuration, heap);
  const blockSize = configuration.get(OPTIONS.managedBlockSize);
  const managedBlocks = Math.floor(sizes.managed.bytes / slots / blockSize);
  if (managedBlocks === 0 && sizes.managed.bytes > 0) {
    const block = `one block of ${memorySizeText(blockSize)} (${OPTIONS.managedBlockSize.key})`;
    const message = `${termText(sizes.managed)} ÷ ${slots} (${slotsKey}) is less than ${block}`;
    throw impossible(message, `raise ${OPTIONS.managedSize.key}, or set it to 0`);
  }
  return {
    heap,
    youngGeneration,
    oldGeneration: rest("slot old generation", heap, [youngGeneration], null),
    managed: derived(
      "slot managed",
      managedBlocks * blockSize,
      `${of(sizes.managed)}, in blocks of ${memorySizeText(blockSize)}`,
    ),
    managedBlocks,
  };
}

function youngDerive(configuration: Configuration, heap: MemoryTerm): MemoryTerm {
  const name = "slot young generation";
  const set = given(configuration, OPTIONS.youngGenerationSize, name);
  if (set === null) {
    const bytes = Math.min(Math.floor(heap.bytes / 4), YOUNG_GENERATION_MAX);
    const formula = `slot heap ${memorySizeText(heap.bytes)} ÷ 4, at most ${memorySizeText(YOUNG_GENERATION_MAX)}`;
    return derived(name, bytes, formula, OPTIONS.youngGenerationSize.key);
  }
  if (set.bytes <= heap.bytes / 2) return set;
  throw conflict(`${termText(set)} is more than half of ${termText(heap)}`, `lower ${OPTIONS.youngGenerationSize.key}`);
}
