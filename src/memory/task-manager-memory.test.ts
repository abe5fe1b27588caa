import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EngineError } from "../base/errors.ts";
import { memorySizeParse } from "../base/memory-size.ts";
import { Configuration } from "../config/configuration.ts";
import { memoryExplain } from "./memory-explain.ts";
import type { TaskManagerMemory } from "./task-manager-memory.ts";
import { taskManagerMemory } from "./task-manager-memory.ts";

const MACHINE = "64g";

/** Keys without their common beginning: "process.size", "slots". */
type Settings = Readonly<Record<string, string | number>>;

function configured(settings: Settings): Configuration {
  const long = (key: string) => {
    if (key === "slots") return "taskmanager.numberOfTaskSlots";
    return key.startsWith("millrace.") ? key : `taskmanager.memory.${key}`;
  };
  const values = Object.fromEntries(Object.entries(settings).map(([key, value]) => [long(key), value]));
  return new Configuration([{ origin: { kind: "file", path: "millrace.config.json" }, values }]);
}

function memoryOf(settings: Settings, machine = MACHINE): TaskManagerMemory {
  return taskManagerMemory(configured(settings), { machineBytes: memorySizeParse(machine)! });
}

function refusal(settings: Settings, machine = MACHINE): EngineError {
  try {
    memoryOf(settings, machine);
  } catch (error) {
    assert.ok(error instanceof EngineError);
    return error;
  }
  assert.fail(`accepted: ${JSON.stringify(settings)}`);
}

/** Sizes as in a configuration file; the network's is exact bytes when it does not come out even. */
type Expected = Partial<Record<Exclude<keyof TaskManagerMemory, "slot" | "slots">, string | number>> & {
  slotHeap?: string;
  slotBlocks?: number;
};

const NO_FRAMEWORK = { "framework.heap.size": 0, "framework.off-heap.size": 0 };

const TABLE: [string, Settings, Expected][] = [
  [
    "Flink's worked example from its flink.size on: 1280m",
    { "flink.size": "1280m" },
    {
      network: "128m",
      networkSegments: 4096,
      managed: "512m",
      frameworkHeap: "128m",
      frameworkOffHeap: "128m",
      taskOffHeap: 0,
      taskHeap: "384m",
      heap: "512m",
      v8Overhead: "192m",
      process: "1472m",
    },
  ],
  [
    "Flink's shipped process.size, 1728m: what its metaspace took belongs to flink.size here",
    { "process.size": "1728m" },
    {
      v8Overhead: "192m",
      flink: "1536m",
      network: 161_061_273,
      managed: 644_245_094,
      heap: 671_088_641,
    },
  ],
  [
    "10 GiB = 8 GiB heap + 2 GiB off-heap in 1 MiB blocks",
    { "flink.size": "10g", "task.heap.size": "8g", "managed.size": "2g", "network.min": 0, ...NO_FRAMEWORK },
    { flink: "10g", heap: "8g", offHeap: "2g", managedBlocks: 2048, network: 0, v8Overhead: "1g", process: "11g" },
  ],
  [
    "the same from the parts alone",
    { "task.heap.size": "8g", "managed.size": "2g", "network.min": 0, "network.max": 0, ...NO_FRAMEWORK },
    { flink: "10g", heap: "8g", offHeap: "2g", managedBlocks: 2048 },
  ],
  [
    "parts alone: network and overhead are fractions of the sum they belong to",
    {
      "task.heap.size": "3g",
      "managed.size": "1g",
      ...NO_FRAMEWORK,
      "network.fraction": 0.2,
      "v8-overhead.fraction": 0.5,
      "v8-overhead.max": "64g",
    },
    { network: "1g", flink: "5g", v8Overhead: "5g", process: "10g" },
  ],
  [
    "managed.size wins over managed.fraction",
    { "flink.size": "4g", "managed.size": "1g", "managed.fraction": 0.9 },
    { managed: "1g", managedBlocks: 1024 },
  ],
  ["no managed memory", { "flink.size": "1g", "managed.size": 0 }, { managed: 0, managedBlocks: 0, slotBlocks: 0 }],
  [
    "the network's fraction is raised to its least and lowered to its most",
    { "flink.size": "1g", "network.min": "200m" },
    { network: "200m" },
  ],
  ["… lowered", { "flink.size": "10g", "network.max": "80m" }, { network: "80m", networkSegments: 2560 }],
  [
    "with a task heap the network is what remains",
    { "flink.size": "2g", "task.heap.size": "1g", "managed.size": "512m" },
    { network: "256m" },
  ],
  [
    "process.size and flink.size together leave the overhead",
    { "process.size": "2g", "flink.size": "1536m" },
    { v8Overhead: "512m", process: "2g" },
  ],
  [
    "two slots share task heap and managed memory in whole blocks",
    { "flink.size": "1280m", slots: 2, "managed.size": "511m" },
    { managedBlocks: 510, slotBlocks: 255, slotHeap: "192.5m" },
  ],
];

for (const [name, settings, expected] of TABLE) {
  test(name, () => {
    const memory = memoryOf(settings);
    for (const [key, value] of Object.entries(expected)) {
      const bytes = typeof value === "number" ? value : memorySizeParse(value);
      const actual =
        key === "slotHeap"
          ? memory.slot.heap
          : key === "slotBlocks"
            ? memory.slot.managedBlocks
            : memory[key as "process"];
      assert.equal(typeof actual === "number" ? actual : actual.bytes, bytes, key);
    }
  });
}

test("8 GiB of heap and 2 GiB off-heap are 8,192 and 2,048 blocks of 1 MiB", () => {
  const memory = memoryOf({
    "task.heap.size": "8g",
    "managed.size": "2g",
    "network.max": 0,
    "network.min": 0,
    ...NO_FRAMEWORK,
  });
  assert.equal(memory.heap.bytes / memory.managedBlockSize, 8192);
  assert.equal(memory.offHeap.bytes / memory.managedBlockSize, 2048);
  assert.equal(memory.managedBlocks, 2048);
});

test("with nothing set the process gets half of the machine, at least 1 GiB and at most 8 GiB", () => {
  const cases: [string, string][] = [
    ["1g", "1g"],
    ["1536m", "1g"],
    ["4g", "2g"],
    ["15g", "7.5g"],
    ["16g", "8g"],
    ["256g", "8g"],
  ];
  for (const [machine, process] of cases) {
    const memory = memoryOf({ slots: 2 }, machine);
    assert.equal(memory.process.bytes, memorySizeParse(process), machine);
    assert.match(memory.process.origin, /^derived: half of the machine's/);
  }
});

test("each size says whether it is a default, set, or derived from what", () => {
  const memory = memoryOf({ "process.size": "2g", "network.max": "70m" });
  assert.equal(memory.process.origin, "config: taskmanager.memory.process.size (file millrace.config.json)");
  assert.equal(memory.frameworkHeap.origin, "default");
  assert.equal(memory.flink.origin, "derived: process size 2 GiB − V8 overhead 204.8 MiB");
  assert.equal(memory.managed.origin, "derived: 0.4 × flink size 1.8 GiB");
  assert.equal(
    memory.network.origin,
    "derived: 0.1 × flink size 1.8 GiB, lowered to taskmanager.memory.network.max 70 MiB",
  );
  assert.match(memory.taskHeap.origin, /^derived: flink size 1.8 GiB − framework heap 128 MiB − .* − network 70 MiB$/);
  assert.match(memory.slot.heap.origin, /^derived: task heap .* ÷ 1$/);
});

test("a slot's generations are its V8 heap: a quarter for the young one, at most 48 MiB, or what is set", () => {
  const young = (settings: Settings) => memoryOf(settings).slot.youngGeneration.bytes / 1024 ** 2;
  assert.equal(young({ "flink.size": "1280m" }), 48);
  assert.equal(young({ "task.heap.size": "100m", "managed.size": 0 }), 25);
  assert.equal(young({ "flink.size": "1280m", "millrace.slot.young-generation.size": "96m" }), 96);
  const error = refusal({ "flink.size": "1280m", "millrace.slot.young-generation.size": "200m" });
  assert.equal(error.code, "MEMORY_CONFLICT");
  assert.match(error.message, /200 MiB \(config: millrace\.slot\.young-generation\.size.*half of slot heap 384 MiB/);
});

test("what cannot be is refused, with every term, its value and the key that fixes it", () => {
  const cases: [string, Settings, RegExp, RegExp][] = [
    [
      "MEMORY_IMPOSSIBLE",
      { "flink.size": "256m" },
      new RegExp(
        [
          "nothing is left for the task heap: flink size 256 MiB \\(config: taskmanager\\.memory\\.flink\\.size ",
          "framework heap 128 MiB .*framework\\.heap\\.size, default",
          "framework off-heap 128 MiB .* task off-heap 0 B ",
          "managed 102\\.4 MiB .*managed\\.fraction.* network 64 MiB .*network\\.fraction",
        ].join(".*"),
      ),
      /^raise taskmanager\.memory\.flink\.size, or lower one of the others; .*flink\.size of 587 MiB would do$/,
    ],
    [
      "MEMORY_IMPOSSIBLE",
      { "process.size": "1g", "managed.size": "2g" },
      /nothing is left for the task heap: flink size 832 MiB .* managed 2 GiB \(config/,
      /raise taskmanager\.memory\.process\.size, or .*process\.size of 2\.\d+ GiB would do/,
    ],
    [
      "MEMORY_IMPOSSIBLE",
      { "process.size": "100m" },
      /flink size: process size 100 MiB .* V8 overhead 192 MiB/,
      /raise .*process\.size, or .*process\.size of 779 MiB would do/,
    ],
    [
      "MEMORY_IMPOSSIBLE",
      { "process.size": "65g" },
      /process size 65 GiB .* more than the machine's 64 GiB/,
      /lower .*process\.size/,
    ],
    [
      "MEMORY_IMPOSSIBLE",
      { "flink.size": "1280m", slots: 13 },
      /29\.54 MiB of V8 heap, 32 MiB is the least.*task heap 384 MiB.*numberOfTaskSlots/,
      /raise .*task\.heap\.size, or lower .*numberOfTaskSlots/,
    ],
    [
      "MEMORY_IMPOSSIBLE",
      { "flink.size": "1g", slots: 2, "managed.size": "1m" },
      /managed 1 MiB .*less than one block of 1 MiB \(millrace\.memory\.managed-block-size\)/,
      /raise .*managed\.size, or set it to 0/,
    ],
    [
      "MEMORY_IMPOSSIBLE",
      { "task.heap.size": "1g", "managed.size": "1g", "network.fraction": 1 },
      /network\.fraction is 1/,
      /lower .*network\.fraction/,
    ],
    [
      "MEMORY_CONFLICT",
      { "process.size": "4g", "flink.size": "1g" },
      /process size 4 GiB .* and flink size 1 GiB .* make the V8 overhead 3 GiB.* 192 MiB \(.*min\) to 1 GiB \(.*max\)/,
      /v8-overhead\.max/,
    ],
    [
      "MEMORY_CONFLICT",
      { "flink.size": "1g", "task.heap.size": "300m" },
      /flink size 1 GiB .* task heap 300 MiB .* managed 409\.6 MiB .* make the network 58\.4 MiB/,
      /network\.min/,
    ],
    [
      "MEMORY_IMPOSSIBLE",
      { "process.size": "1g", "flink.size": "2g" },
      /nothing is left for the V8 overhead/,
      /process\.size/,
    ],
    [
      "MEMORY_CONFLICT",
      { "network.min": "2g", "network.max": "1g" },
      /network\.min 2 GiB \(config.* is more than .*network\.max 1 GiB \(config/,
      /lower .*network\.min or raise .*network\.max/,
    ],
  ];
  for (const [code, settings, message, fix] of cases) {
    const error = refusal(settings);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.match(error.fix ?? "", fix);
  }
});

test("whatever is set, the parts come to the whole, nothing is negative, what is set is kept, or it is refused", () => {
  // Mostly not set: what sets everything contradicts itself, nearly always.
  const seldom = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => {
    return fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
  };
  const size = seldom(fc.integer({ min: 0, max: 40_000 }).map((mib) => `${mib}m`));
  const fraction = seldom(fc.double({ min: 0, max: 1, noNaN: true }));
  const settings = fc.record({
    "process.size": size,
    "flink.size": size,
    "task.heap.size": size,
    "managed.size": size,
    "framework.heap.size": size,
    "network.min": size,
    "network.max": size,
    "network.fraction": fraction,
    "managed.fraction": fraction,
    "v8-overhead.fraction": fraction,
    slots: fc.option(fc.integer({ min: 1, max: 16 }), { nil: undefined }),
  });
  let [tried, accepted] = [0, 0];
  const property = fc.property(settings, (chosen) => {
    tried += 1;
    const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined)) as Settings;
    let memory: TaskManagerMemory;
    try {
      memory = memoryOf(given);
    } catch (error) {
      assert.ok(error instanceof EngineError && error.code.startsWith("MEMORY_"), String(error));
      return;
    }
    accepted += 1;
    const { process, v8Overhead, flink, heap, offHeap, slot, slots } = memory;
    assert.equal(v8Overhead.bytes + flink.bytes, process.bytes);
    assert.equal(heap.bytes + offHeap.bytes, flink.bytes);
    assert.equal(memory.frameworkHeap.bytes + memory.taskHeap.bytes, heap.bytes);
    const { frameworkOffHeap, taskOffHeap, managed, network } = memory;
    assert.equal(frameworkOffHeap.bytes + taskOffHeap.bytes + managed.bytes + network.bytes, offHeap.bytes);
    assert.equal(slot.oldGeneration.bytes + slot.youngGeneration.bytes, slot.heap.bytes);
    assert.ok(slot.heap.bytes * slots <= memory.taskHeap.bytes);
    assert.ok(memory.managedBlocks * memory.managedBlockSize <= managed.bytes);
    for (const row of memoryExplain(memory)) assert.ok(Number.isInteger(row.bytes) && row.bytes >= 0, row.component);
    const kept: [string, { bytes: number }][] = [
      ["process.size", process],
      ["flink.size", flink],
      ["task.heap.size", memory.taskHeap],
      ["managed.size", managed],
    ];
    for (const [key, term] of kept) {
      if (given[key] !== undefined) assert.equal(term.bytes, memorySizeParse(String(given[key])), key);
    }
  });
  fc.assert(property, { numRuns: 3000 });
  assert.ok(accepted > 30 && accepted < tried, `${accepted} of ${tried} accepted`);
});

test("the explanation is a tree whose top is the process, with pieces and shares", () => {
  const rows = memoryExplain(memoryOf({ "process.size": "2g", slots: 2 }));
  assert.deepEqual(
    rows.map((row) => `${" ".repeat(row.level)}${row.component}`),
    [
      "process size",
      " V8 overhead",
      " flink size",
      "  heap",
      "   framework heap",
      "   task heap",
      "  off-heap",
      "   framework off-heap",
      "   task off-heap",
      "   managed",
      "   network",
      "slot heap",
      " slot old generation",
      " slot young generation",
      "slot managed",
    ],
  );
  assert.deepEqual(rows[0], {
    component: "process size",
    level: 0,
    bytes: 2 * 1024 ** 3,
    pretty: "2 GiB",
    share: 1,
    origin: "config: taskmanager.memory.process.size (file millrace.config.json)",
    key: "taskmanager.memory.process.size",
  });
  assert.equal(rows.find((row) => row.component === "managed")?.pretty, "737.28 MiB = 736 × 1 MiB");
  assert.equal(rows.find((row) => row.component === "slot managed")?.pretty, "368 MiB = 368 × 1 MiB");
});

test("the total that would do is found whatever sets the one that is too small", () => {
  for (const origin of [
    { kind: "command line" },
    { kind: "environment", name: "X" },
    { kind: "file", path: "x" },
  ] as const) {
    const configuration = new Configuration([{ origin, values: { "taskmanager.memory.process.size": "100m" } }]);
    assert.throws(() => taskManagerMemory(configuration, { machineBytes: 2 ** 40 }), {
      fix: /; taskmanager\.memory\.process\.size of 779 MiB would do$/,
    });
  }
});

test("managed memory beyond what state can address is refused, however it came about, and all of that is had", () => {
  const set = refusal({ "task.heap.size": "1g", "managed.size": "12g" });
  assert.equal(set.code, "MEMORY_OUT_OF_REACH");
  assert.match(
    set.message,
    /^managed 12 GiB \(config: taskmanager.memory.managed.size .* 8 GiB that state can address/,
  );
  assert.match(set.fix ?? "", /set taskmanager\.memory\.managed\.size to 8 GiB or less/);
  const derived = refusal({ "process.size": "40g" });
  assert.equal(derived.code, "MEMORY_OUT_OF_REACH");
  assert.match(derived.message, /managed .*0\.4 × flink size/);
  assert.equal(memoryOf({ "process.size": "40g", "managed.size": "8g" }).managedBlocks, 8_192);
});
