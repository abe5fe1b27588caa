// What every slot runner guarantees (slot-runner.ts). `slotRunnerContract` registers one suite; each implementation
// runs it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { jobBuild } from "../../api/job.ts";
import { SegmentPool } from "../../memory/segment-pool.ts";
import { metricMemory } from "../../metrics/metric-registry.ts";
import { DOORBELL_WORDS } from "../../network/doorbell.ts";
import type { JobId } from "../../protocol/ids.ts";
import { type FromSlot, type JobDescriptor, taskIdOf } from "../../protocol/slot-messages.ts";
import { jobLoad } from "./job-load-node.ts";
import type { SlotExit, SlotHandle, SlotRunner, SlotStart } from "./slot-runner.ts";

export type SlotRunnerOptions = {
  /** Slots have threads of their own, which can be interrupted, measured, and die. */
  readonly ownThreads: boolean;
  make(): SlotRunner;
};

const MIB = 1024 ** 2;
const PATIENCE_MS = 100_000; // Of real time, before a test that waits for nothing fails.
const LOOK_MS = 5;
/** Long enough for a slot that still runs to be seen. */
const QUIET_MS = 50;

const moduleOf = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

const ENDLESS = moduleOf(`
  import { blackhole, generate, job } from "millrace";
  export default job({ name: "endless" }, (env) => env.from("in", generate(Infinity, (id) => ({ id }))).to("out", blackhole()));
`);

const DEFAULTS = { parallelism: 1, maxParallelism: null, preAggregation: false };

function slotStart(): SlotStart {
  const pool = (name: string) =>
    SegmentPool.create({ name, configKey: "key", segments: 4, segmentSize: 32_768, groupLimits: [4] }).handle;
  return {
    index: 0,
    slots: 1,
    network: pool("network memory"),
    managed: pool("managed memory"),
    managedBytes: 4 * 32_768,
    doorbells: new SharedArrayBuffer(DOORBELL_WORDS * 4),
    metrics: metricMemory(),
    progress: new SharedArrayBuffer(4),
    lastVertex: new SharedArrayBuffer(4),
    turnBudgetMs: 2,
    heap: { budgetBytes: 64 * MIB, youngGenerationBytes: 8 * MIB, limitBytes: 64 * MIB },
  };
}

/** A slot as its TaskManager sees it. */
class StartedSlot implements AsyncDisposable {
  readonly handle: SlotHandle;
  readonly messages: FromSlot[] = [];
  readonly exits: SlotExit[] = [];
  readonly #progress: Int32Array;
  readonly #lastVertex: Int32Array;

  constructor(runner: SlotRunner, start: SlotStart = slotStart()) {
    this.#progress = new Int32Array(start.progress);
    this.#lastVertex = new Int32Array(start.lastVertex);
    this.handle = runner.start(start, (exit) => this.exits.push(exit));
    this.handle.control.receive({
      message: (message) => {
        this.messages.push(message);
        // The only task is the coordinator's, too.
        if (message.kind === "splitRequest" || message.kind === "split") this.handle.control.send(message);
      },
    });
  }

  /** What it has said, without announcements of metrics. */
  get said(): readonly string[] {
    return this.messages.map(({ kind }) => kind).filter((kind) => kind !== "metrics");
  }

  /** Vertex whose task had the last turn; -1: none had one. */
  get lastVertex(): number {
    return Atomics.load(this.#lastVertex, 0) - 1;
  }

  /** Moves whenever the slot looks for work and with each turn. */
  get progress(): number {
    return Atomics.load(this.#progress, 0);
  }

  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS;
    while (!(await holds())) {
      assert.ok(performance.now() < untilMs, `waited in vain for ${holds}, after ${JSON.stringify(this.messages)}`);
      await delay(LOOK_MS);
    }
  }

  /** Nothing can be waited for: whether nothing has happened meanwhile. */
  async quiet(): Promise<boolean> {
    const before = [this.progress, this.messages.length, this.exits.length];
    await delay(QUIET_MS);
    return [this.progress, this.messages.length, this.exits.length].every((now, index) => now === before[index]);
  }

  /** `planHash` may be wrong for a module that does not come to its end. */
  deploy(bundle: string, planHash = ""): void {
    const shared = { params: {}, defaults: DEFAULTS, planText: "", config: [], checks: false };
    const job: JobDescriptor = { jobId: "job" as JobId, bundle, planHash, ...shared };
    const task = { id: taskIdOf(0, 0, 0), name: "task", vertex: 0, subtask: 0, attempt: 0, inputs: [], outputs: [] };
    const wiring = { rings: new Map(), segments: new Map() };
    this.handle.control.send({ kind: "deploy", job, tasks: [task], wiring });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.terminate();
  }

  async runEndless(): Promise<void> {
    const { plan } = await jobBuild(await jobLoad(ENDLESS), {}, DEFAULTS);
    this.deploy(ENDLESS, plan.hash);
    await this.until(() => this.said.includes("split"));
  }
}

/** How far a slot has come when it is ended. */
const MOMENTS: Readonly<Record<string, (slot: StartedSlot) => Promise<void>>> = {
  "while it starts": async () => undefined,
  "while it sleeps": async (slot) => {
    await slot.until(() => slot.said.includes("ready"));
    await slot.until(() => slot.quiet());
  },
  "while its job is loaded": async (slot) => {
    await slot.until(() => slot.said.includes("ready"));
    slot.deploy(moduleOf("await new Promise(() => {});"));
  },
  "while it is busy": async (slot) => {
    await slot.runEndless();
    const before = slot.progress;
    await slot.until(() => slot.progress > before + 100);
  },
  "after it has closed": async (slot) => {
    slot.handle.control.send({ kind: "cancel", discard: true });
    await slot.until(() => slot.said.includes("closed"));
  },
};

export function slotRunnerContract(name: string, { ownThreads, make }: SlotRunnerOptions): void {
  describe(`slot runner: ${name}`, () => {
    test("a slot says that it is ready, and answers what it is told", async () => {
      await using slot = new StartedSlot(make());
      await slot.until(() => slot.said.includes("ready"));
      assert.equal(slot.lastVertex, -1);
      await slot.runEndless();
      await slot.until(() => slot.lastVertex === 0);
      slot.handle.control.send({ kind: "cancel", discard: true });
      await slot.until(() => slot.said.includes("closed"));
      assert.deepEqual(slot.said, ["ready", "deployed", "splitRequest", "split", "closed"]);
    });

    test("a slot without work sleeps, and looks for work when it is rung", async () => {
      await using slot = new StartedSlot(make());
      await slot.until(() => slot.said.includes("ready"));
      for (let rings = 0; rings < 3; rings += 1) {
        await slot.until(() => slot.quiet());
        const before = slot.progress;
        slot.handle.ring();
        await slot.until(() => slot.progress > before);
      }
    });

    for (const [moment, reach] of Object.entries(MOMENTS)) {
      test(`terminate ends a slot ${moment}, more than once if need be; then nothing of it runs or says anything`, async () => {
        await using slot = new StartedSlot(make());
        await reach(slot);
        await Promise.all([slot.handle.terminate(), slot.handle.terminate()]);
        const quiet = slot.quiet();
        slot.handle.ring();
        slot.handle.control.send({ kind: "cancel", discard: true });
        assert.ok(await quiet, slot.said.join());
        if (moment !== "after it has closed") assert.deepEqual(slot.exits, [], "an end that was asked for is no exit");
      });
    }

    if (ownThreads) ownThreadContract(make);
    else sharedThreadContract(make);
  });
}

function sharedThreadContract(make: () => SlotRunner): void {
  test("slots without threads of their own never exit, and what they hold and do is not known", async () => {
    const runner = make();
    assert.equal(runner.residentBytes(), null);
    await using slot = new StartedSlot(runner);
    assert.deepEqual([await slot.handle.heldBytes(), await slot.handle.stackSample()], [0, null]);
    slot.handle.control.send({ kind: "cancel", discard: true });
    await slot.until(() => slot.said.includes("closed"));
    assert.ok(await slot.quiet());
    assert.deepEqual(slot.exits, []);
  });
}

/** Ways of user code to end the slot's thread. */
const DEATHS: readonly { readonly kind: SlotExit["kind"]; readonly code: number; readonly source: string }[] = [
  { kind: "exit", code: 3, source: "process.reallyExit(3);" },
  { kind: "outOfMemory", code: 1, source: "let last = null; for (;;) last = { last };" },
];

function ownThreadContract(make: () => SlotRunner): void {
  for (const { kind, code, source } of DEATHS) {
    test(`a thread that ends by itself (${kind}) is told once, and can be terminated all the same`, async () => {
      await using slot = new StartedSlot(make());
      slot.deploy(moduleOf(source));
      await slot.until(() => slot.exits.length > 0);
      await slot.handle.terminate();
      assert.ok(await slot.quiet());
      assert.deepEqual(
        slot.exits.map((exit) => [exit.kind, exit.code]),
        [[kind, code]],
      );
    });
  }

  test("a thread that does not come up is told once, with its error", async () => {
    const start = slotStart();
    const broken = { ...start, network: { ...start.network, control: new SharedArrayBuffer(0) } };
    await using slot = new StartedSlot(make(), broken);
    await slot.until(() => slot.exits.length > 0);
    assert.ok(await slot.quiet());
    assert.deepEqual(slot.said, []);
    assert.deepEqual(
      slot.exits.map(({ kind, code, error }) => [kind, code, error instanceof Error]),
      [["error", 1, true]],
    );
  });

  test("the thread of a slot that has closed ends by itself, without an error, after it has said so", async () => {
    await using slot = new StartedSlot(make());
    slot.handle.control.send({ kind: "cancel", discard: true });
    await slot.until(() => slot.exits.length > 0);
    assert.deepEqual(slot.said, ["ready", "closed"]);
    assert.deepEqual(slot.exits, [{ kind: "exit", code: 0, error: null }]);
  });

  test("code that never returns is seen in a sample of the stack, and ended", async () => {
    await using slot = new StartedSlot(make());
    slot.deploy(moduleOf("function neverReturns() { for (;;); } neverReturns();"));
    await slot.until(async () => /^ +at neverReturns/.test((await slot.handle.stackSample()) ?? ""));
    // A loop in JavaScript does not keep it from answering; a busy machine may, for a while.
    await slot.until(async () => Number.isFinite(await slot.handle.heldBytes()));
    await slot.handle.terminate();
    assert.deepEqual(slot.exits, []);
    assert.deepEqual([await slot.handle.heldBytes(), await slot.handle.stackSample()], [0, null]);
  });

  test("code that never returns is ended also while a sample of its stack is taken", async () => {
    for (let round = 0; round < 5; round += 1) {
      await using slot = new StartedSlot(make());
      slot.deploy(moduleOf("for (;;);"));
      await slot.until(() => slot.said.includes("ready"));
      await delay(QUIET_MS);
      const sample = slot.handle.stackSample();
      await delay(round / 3);
      await slot.handle.terminate();
      await sample;
    }
  });

  test("what a slot holds is counted in its heap and in buffers outside, and in the process", async () => {
    const runner = make();
    await using slot = new StartedSlot(runner);
    slot.deploy(moduleOf(`globalThis.held = Buffer.alloc(${64 * MIB}, 1); await new Promise(() => {});`));
    await slot.until(async () => (await slot.handle.heldBytes()) > 64 * MIB);
    assert.ok(Number(runner.residentBytes()) > 64 * MIB);
    await slot.handle.terminate();
    assert.equal(await slot.handle.heldBytes(), 0);
  });
}
