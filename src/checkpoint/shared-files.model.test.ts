import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { CheckpointId } from "../base/ids.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { CheckpointDirectory } from "./checkpoint-directory.ts";
import { CompletedCheckpointStore } from "./completed-store.ts";
import type { CheckpointMetadata } from "./format/metadata.ts";
import { packsOf, writtenBytes } from "./shared-files.ts";
import { objectPut, temporaryStorage } from "./storage/checkpoint-storage.contract.ts";

/** What a process does with the checkpoints of its job, and how it ends. */
type Step =
  | { readonly kind: "complete" | "abort"; readonly writes: number; readonly keeps: number }
  | { readonly kind: "late"; readonly back: number }
  | { readonly kind: "restart" | "crash" | "damage" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("complete"), writes: fc.nat(2), keeps: fc.nat(15) }),
  fc.record({ kind: fc.constant("abort"), writes: fc.nat(2), keeps: fc.nat(15) }),
  fc.record({ kind: fc.constant("late"), back: fc.nat(4) }),
  fc.record({ kind: fc.constantFrom("restart", "crash", "damage") }),
) as fc.Arbitrary<Step>;

/** A job whose checkpoints refer to files of the newest completed one before them, and write some of their own. */
class Model {
  readonly #env = new SimEnv({ seed: 1 });
  readonly #retained: number;
  #directory: CheckpointDirectory | null = null;
  /** By id, by age: the shared files of those that are retained. */
  #completed: (readonly [CheckpointId, readonly string[]])[] = [];
  readonly #damaged = new Set<CheckpointId>();
  #next = 1;

  constructor(retained: number) {
    this.#retained = retained;
  }

  async run(steps: readonly Step[]): Promise<void> {
    let over = false;
    const all = this.#all(steps).finally(() => {
      over = true;
    });
    all.catch(() => undefined); // Reported below, once the events are through.
    await this.#env.runUntilIdle(() => over);
    await all;
  }

  async #all(steps: readonly Step[]): Promise<void> {
    await this.#start();
    for (const each of steps) {
      if (each.kind === "complete" || each.kind === "abort") await this.#take(each.kind, each.writes, each.keeps);
      else if (each.kind === "late") await this.#late(each.back);
      else await this.#end(each.kind);
      await this.#check();
    }
  }

  async #start(): Promise<void> {
    this.#directory = await CheckpointDirectory.open(this.#env.disk, "/checkpoints", "job");
    const { store } = this.#directory;
    const { completed, greatest } = await store.known();
    assert.deepEqual(
      completed,
      this.#completed.map(([id]) => id),
    );
    assert.ok(greatest >= 0 && this.#next > greatest, `${greatest} is new`);
    await this.#directory.sweep(completed);
  }

  /** Slots refer to what the newest completed checkpoint has that they know to be completed. */
  async #take(kind: "complete" | "abort", writes: number, keeps: number): Promise<void> {
    const { store, storage } = this.#directory!;
    const id = this.#next as CheckpointId;
    this.#next += 1;
    const newest = this.#completed.findLast(([each]) => !this.#damaged.has(each))?.[1] ?? [];
    const own = Array.from({ length: writes }, (_, n) => `${packsOf(id, "1-0-0")}-${n}`);
    for (const name of own) await objectPut(storage, name, "pages");
    await objectPut(storage, `chk-${id}/1-0-0`, "places");
    if (kind === "abort") {
      await store.discard(id);
      return;
    }
    const shared = [...newest.filter((_, n) => (keeps & (1 << n)) !== 0), ...own];
    const files = Object.fromEntries([`chk-${id}/1-0-0`, ...shared].map((name) => [name, 5]));
    await store.complete({ id, files } as unknown as CheckpointMetadata);
    this.#completed.push([id, shared]);
    for (const [old] of this.#completed.splice(0, Math.max(0, this.#completed.length - this.#retained))) {
      await store.discard(old);
    }
  }

  /** Something comes for a checkpoint that is over: what it has left is removed once more. */
  async #late(back: number): Promise<void> {
    const id = (this.#next - 1 - back) as CheckpointId;
    if (id >= 1 && !this.#completed.some(([each]) => each === id)) await this.#directory!.store.discard(id);
  }

  async #end(kind: "restart" | "crash" | "damage"): Promise<void> {
    const { storage, store } = this.#directory!;
    if (kind === "damage") {
      const newest = this.#completed.at(-1);
      if (newest === undefined || this.#damaged.has(newest[0]) || this.#completed.length < 2) return;
      const [id] = newest;
      await storage.remove(`chk-${id}/_metadata`);
      await objectPut(storage, `chk-${id}/_metadata`, "damaged");
      this.#damaged.add(id);
      // It was written for this one, and cannot be told apart from what that one uses.
      for (const name of await storage.list("shared")) if (name.startsWith(`shared/${id}-`)) await storage.remove(name);
      this.#completed[this.#completed.length - 1] = [id, []];
    }
    if (kind === "crash") {
      // In the middle of a checkpoint, and of the removal of another one.
      const id = this.#next as CheckpointId;
      this.#next += 1;
      await objectPut(storage, `${packsOf(id, "1-0-0")}-0`, "pages");
      const oldest = this.#completed[0];
      if (oldest !== undefined && this.#completed.length > 1) {
        await storage.remove(`chk-${oldest[0]}/_metadata`);
        this.#completed.shift();
      }
    }
    assert.ok(store !== null);
    await this.#directory!.release();
    await this.#start();
  }

  /** No file that is used is gone, and none that is not stays. */
  async #check(): Promise<void> {
    const used = new Set(this.#completed.filter(([id]) => !this.#damaged.has(id)).flatMap(([, files]) => files));
    const there = await this.#directory!.storage.list("shared");
    for (const name of used) assert.ok(there.includes(name), `${name} is used, and gone`);
    const mayStay = this.#completed.some(([id]) => this.#damaged.has(id));
    if (!mayStay) assert.deepEqual(there, [...used].sort());
  }
}

test("one whose metadata cannot be read keeps what it could use, for as long as it is there (R2)", async (context) => {
  const { storage } = temporaryStorage(context);
  const put = async (number: number, files: readonly string[]): Promise<void> => {
    await objectPut(storage, files.at(-1)!, "pages");
    const metadata = { id: number, files: Object.fromEntries(files.map((name) => [name, 5])) };
    await new CompletedCheckpointStore(storage).complete(metadata as unknown as CheckpointMetadata);
  };
  await put(1, ["shared/1-1-0-0-0"]);
  await put(2, ["shared/1-1-0-0-0", "shared/2-1-0-0-0"]);
  await put(3, ["shared/3-1-0-0-0"]);
  await storage.remove("chk-2/_metadata");
  await objectPut(storage, "chk-2/_metadata", "damaged");
  const store = new CompletedCheckpointStore(storage);
  await store.sweep();
  await store.discard(1 as CheckpointId);
  await store.sweep();
  assert.deepEqual(await storage.list("shared"), ["shared/1-1-0-0-0", "shared/2-1-0-0-0", "shared/3-1-0-0-0"]);
  await store.discard(2 as CheckpointId);
  assert.deepEqual(await storage.list("shared"), ["shared/3-1-0-0-0"]);
});

test("no shared file goes while a checkpoint uses it, and none stays that no checkpoint uses (R1, R2)", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40, size: "max" }),
      fc.integer({ min: 1, max: 3 }),
      (steps, retained) => new Model(retained).run(steps),
    ),
    { numRuns: 25 },
  );
});

test("the size of a checkpoint is what was written for it, without what it refers to in older files", () => {
  const files = { "chk-7/1-0-0": 10, "shared/7-1-0-0-0": 200, "shared/6-1-0-0-0": 3_000, "shared/71-1-0-0-0": 40_000 };
  assert.equal(writtenBytes({ id: 7, files, operators: [] } as unknown as CheckpointMetadata), 210);
});
