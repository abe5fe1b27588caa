// What every slot runner guarantees (slot-runner.ts). `slotRunnerContract` registers one suite; each implementation
// runs it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { jobBuild } from "../../api/job.ts";
import type { Attempt, CheckpointId, JobId, LeaderEpoch } from "../../base/ids.ts";
import { SegmentPool } from "../../memory/segment-pool.ts";
import { metricMemory } from "../../metrics/metric-registry.ts";
import { DOORBELL_WORDS } from "../../network/doorbell.ts";
import { DropCounts, type Fence, type Fenced } from "../../protocol/fence.ts";
import {
  type FromSlot,
  type JobDescriptor,
  type TaskDescriptor,
  type ToSlot,
  taskIdOf,
} from "../../protocol/slot-messages.ts";
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

const FENCE: Fence = { job: "job" as JobId, attempt: 1 as Attempt, epoch: 1 as LeaderEpoch };

function slotStart(): SlotStart {
  const pool = (name: string) =>
    SegmentPool.create({ name, configKey: "key", segments: 4, segmentSize: 32_768, groupLimits: [4] }).handle;
  return {
    fence: FENCE,
    dropped: new DropCounts().memory,
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
  readonly dropped: DropCounts;
  readonly #progress: Int32Array;
  readonly #lastVertex: Int32Array;
  #sent = 0;

  constructor(runner: SlotRunner, start: SlotStart = slotStart()) {
    this.dropped = new DropCounts(start.dropped);
    this.#progress = new Int32Array(start.progress);
    this.#lastVertex = new Int32Array(start.lastVertex);
    this.handle = runner.start(start, (exit) => this.exits.push(exit));
    this.handle.control.receive({
      message: ({ fence, sequence, body }) => {
        assert.deepEqual([fence, sequence], [FENCE, this.messages.length + 1]);
        this.messages.push(body);
        // The only task is the coordinator's, too.
        if (body.kind === "splitRequest" || body.kind === "splits") this.tell(body);
      },
    });
  }

  tell(body: ToSlot, wrong: Partial<Fenced<ToSlot>> = {}): void {
    if (wrong.fence === undefined && wrong.sequence === undefined) this.#sent += 1;
    this.handle.control.send({ fence: FENCE, sequence: this.#sent, body, ...wrong });
  }

  /** Number of the last message that it was told. */
  get sent(): number {
    return this.#sent;
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
  deploy(bundle: string, planHash = "", attempt = 0): void {
    const shared = { params: {}, defaults: DEFAULTS, planText: "", config: [], checks: false };
    const job: JobDescriptor = { jobId: "job" as JobId, bundle, planHash, ...shared };
    const id = taskIdOf(0, 0, attempt);
    const task = { id, name: "task", vertex: 0, subtask: 0, attempt, inputs: [], outputs: [] };
    const wiring = { rings: new Map(), segments: new Map() };
    this.tell({ kind: "deploy", job, tasks: [task], wiring });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.terminate();
  }

  runEndless(attempt = 0): Promise<void> {
    return this.run(ENDLESS, attempt);
  }

  /** Until its source has got something to read. */
  async run(bundle: string, attempt = 0): Promise<void> {
    const { plan } = await jobBuild(await jobLoad(bundle), {}, DEFAULTS);
    this.deploy(bundle, plan.hash, attempt);
    await this.until(() =>
      this.messages.some((message) => message.kind === "splits" && message.task === `0/0/${attempt}`),
    );
  }

  /** Its tasks end, and it has said so. */
  async close(): Promise<void> {
    const closed = this.#count("closed");
    this.tell({ kind: "cancel", tasks: null, discard: true });
    await this.until(() => this.#count("closed") > closed);
  }

  #count(kind: FromSlot["kind"]): number {
    return this.said.filter((each) => each === kind).length;
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
  "after its tasks have closed": async (slot) => {
    await slot.runEndless();
    await slot.close();
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
      await slot.close();
      assert.deepEqual(slot.said, ["ready", "deployed", "splitRequest", "splits", "closed"]);
    });

    test("a slot is given tasks again and again, and runs them", async () => {
      await using slot = new StartedSlot(make());
      for (let attempt = 0; attempt < 5; attempt += 1) {
        await slot.runEndless(attempt);
        const before = slot.progress;
        await slot.until(() => slot.progress > before + 10);
        await slot.close();
      }
      const each = ["deployed", "splitRequest", "splits", "closed"];
      assert.deepEqual(slot.said, ["ready", ...Array.from({ length: 5 }, () => each).flat()]);
    });

    test("F1: whatever comes twice, early, late or from somebody else does nothing, of whatever kind, and is counted", async () => {
      await using slot = new StartedSlot(make());
      await slot.until(() => slot.said.includes("ready"));
      await slot.runEndless();
      const task = "0/0/0";
      const kinds: { readonly [K in ToSlot["kind"]]: Partial<Extract<ToSlot, { readonly kind: K }>> } = {
        deploy: { job: {} as JobDescriptor, tasks: [{ id: "0/0/1" } as TaskDescriptor] },
        prepare: {},
        drain: {},
        commit: { task, prepared: { sink: "out", committables: [] } },
        discard: { prepared: { sink: "out", committables: [] } },
        close: {},
        cancel: { tasks: null, discard: true },
        coordinate: { checkpoint: 1 as CheckpointId },
        goOn: {},
        checkpoint: { checkpoint: 1 as CheckpointId, isFinal: true },
        checkpointAborted: { checkpoint: 1 as CheckpointId },
        checkpointCompleted: { checkpoint: 1 as CheckpointId },
        splitRequest: { vertex: 0, subtask: 0, task },
        splits: { task, splits: null },
        splitsFollow: { task },
        rowsRead: { task, sink: "out", bytes: 1 },
      };
      const said = slot.said.length;
      for (const [kind, rest] of Object.entries(kinds)) {
        const body = { kind, ...rest } as ToSlot;
        slot.tell(body, { sequence: slot.sent });
        slot.tell(body, { sequence: slot.sent + 2 });
        slot.tell(body, { sequence: slot.sent + 1, fence: { ...FENCE, attempt: 0 as Attempt } });
        slot.tell(body, { sequence: slot.sent + 1, fence: { ...FENCE, epoch: 0 as LeaderEpoch } });
        slot.tell(body, { sequence: slot.sent + 1, fence: { ...FENCE, job: "other" as JobId } });
      }
      // What it is told in order is heard after all of them.
      slot.tell({ kind: "splitRequest", vertex: 0, subtask: 0, task });
      await slot.until(() => slot.said.length > said);
      assert.deepEqual(slot.said.slice(said), ["splits"]);
      const each = Object.keys(kinds).length;
      assert.deepEqual(slot.dropped.counts, { late: 2 * each, twice: each, early: each, foreign: each });
      const before = slot.progress;
      await slot.until(() => slot.progress > before + 100);
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
        slot.tell({ kind: "cancel", tasks: null, discard: true });
        assert.ok(await quiet, slot.said.join());
        assert.deepEqual(slot.exits, [], "an end that was asked for is no exit");
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
    await slot.runEndless();
    await slot.close();
    assert.ok(await slot.quiet());
    assert.deepEqual(slot.exits, []);
  });
}

/** A job of one task whose function does this with record 100 of an endless source. */
const doing = (statement: string): string =>
  moduleOf(`
    import { blackhole, generate, job } from "millrace";
    const act = ({ id }) => { if (id === 100) { ${statement} } return { id }; };
    export default job({ name: "spoils" }, (env) =>
      env.from("in", generate(Infinity, (id) => ({ id }))).map(act).uid("act").to("out", blackhole()));
  `);

/** What user code does, and whether tasks to come may suffer from it. */
const DEEDS: readonly { readonly what: string; readonly statement: string; readonly reason: RegExp | null }[] = [
  { what: "throws", statement: `throw new Error("gives up");`, reason: null },
  { what: "calls process.exit", statement: "process.exit(1);", reason: /exit/ },
  { what: "throws in a timer", statement: `setTimeout(() => { throw new Error("late"); });`, reason: /late/ },
  { what: "rejects a promise", statement: `Promise.reject(new Error("late"));`, reason: /late/ },
  { what: "edits a prototype", statement: "Array.prototype.at = () => 0;", reason: /Array\.prototype\.at was changed/ },
];

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

  for (const { what, statement, reason } of DEEDS) {
    test(`a thread whose user code ${what} ${reason === null ? "may go on" : "says that it may be spoilt, before its tasks are closed"}`, async () => {
      await using slot = new StartedSlot(make());
      const before = slot.progress;
      await slot.run(doing(statement));
      await slot.until(() => slot.said.includes("failed") || slot.progress > before + 200);
      await slot.close();
      const reasons = slot.messages.map((message) => (message.kind === "spoilt" ? message.reason : null));
      const [told] = reasons.filter((each) => each !== null);
      if (reason === null) assert.equal(told, undefined);
      else assert.match(told ?? "", reason);
      if (reason !== null) assert.ok(slot.said.indexOf("spoilt") < slot.said.indexOf("closed"));
      if (reason !== null) return;
      await slot.run(doing(statement), 1);
      await slot.close();
    });
  }

  test("threads that are kept ready are given to slots, one each; those that are not needed any more are ended", async () => {
    const runner = make();
    const { heap } = slotStart();
    runner.keepReady(2, heap);
    for (let slots = 0; slots < 3; slots += 1) {
      await using slot = new StartedSlot(runner);
      await slot.until(() => slot.said.includes("ready"));
      await slot.run(ENDLESS);
      await slot.close();
      assert.deepEqual(slot.exits, []);
    }
    runner.keepReady(0, heap);
  });

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
