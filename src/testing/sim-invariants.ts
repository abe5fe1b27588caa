// What holds at each event of a job with checkpoints, whatever happens to it. Looks from outside: at the messages of
// slots, at what the coordinator has decided, and at the disk as a power cut would leave it.
//
//   W1. One attempt at a time of each subtask: it is deployed when none before it is open (I4).
//   W2. Ids of checkpoints rise; what is completed stays so until a later one is (I5).
//   W3. A checkpoint is completed when each task that runs has acknowledged it, and the pointer that names it, or a
//       later one, is durable, with its metadata (I6).
//   W4. While a checkpoint is taken no split is handed out between the snapshot of its coordinator and "goOn" (I15).
//   W5. What becomes visible is in a durable checkpoint that the durable pointer names, or in an earlier one (I2), or
//       in a savepoint.
//   W6. The pointer only goes forward.
//   W7. A checkpoint that the job retains is not removed (I6).
//   W8. When a job is over, nothing of the memory pools is held (I13).

import { crc32 } from "node:zlib";
import { assert } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import type { EmbeddedJob } from "../client/embedded.ts";
import { isBounded } from "../graph/plan.ts";
import type { CheckpointingState } from "../jobmanager/checkpointing/coordinator.ts";
import type { FromSlot, TaskId, ToSlot } from "../protocol/slot-messages.ts";
import type { DiskOperation, SimDisk } from "./sim-disk.ts";
import type { SimPhases } from "./sim-phases.ts";
import { SAVEPOINTS } from "./sim-savepoints.ts";
import type { SimSlot } from "./sim-slots.ts";

type OpenTask = {
  readonly vertex: number;
  readonly subtask: number;
  /** The last checkpoint that had begun when it was deployed. */
  readonly since: number;
  readonly slot: SimSlot;
  runs: boolean;
  /** It had come to its end, or has: it acknowledges nothing more. */
  isOver: boolean;
  acknowledged: number;
};

export class SimInvariants {
  readonly #disk: SimDisk;
  readonly #directory: string;
  readonly #phases: SimPhases;
  readonly #open = new Map<TaskId, OpenTask>();
  /** Coordinators that hand out nothing, by slot and vertex. */
  readonly #held = new Set<string>();
  /** The last checkpoint that slots were told of, and the last one of which they were told to go on. */
  #coordinated = 0;
  #goneOn = 0;
  #checkpointing: CheckpointingState | null = null;
  #over: EmbeddedJob["master"] | null = null;
  #pointed = 0;

  constructor(disk: SimDisk, directory: string, phases: SimPhases) {
    this.#disk = disk;
    this.#directory = directory;
    this.#phases = phases;
  }

  begin(): void {
    this.#open.clear();
    this.#held.clear();
    this.#coordinated = 0;
    this.#goneOn = 0;
    this.#checkpointing = null;
    this.#pointed = idIn(this.#disk.get(`${this.#directory}/latest`));
    this.#phases.pointed = this.#pointed as CheckpointId;
  }

  /** After each event. */
  look(run: EmbeddedJob | null): void {
    if (run === null) return;
    const { master } = run;
    const now = master.checkpointing;
    if (now !== this.#checkpointing) this.#onDecided(this.#checkpointing, now);
    this.#checkpointing = now;
    if (master.state.phase !== "done" || master === this.#over) return;
    this.#over = master;
    this.#onOver(run);
  }

  ended(slot: SimSlot): void {
    for (const [id, task] of this.#open) if (task.slot === slot) this.#open.delete(id);
    this.#countDeploying();
    for (const held of this.#held) if (held.startsWith(`${slot.index} `)) this.#held.delete(held);
  }

  told(message: ToSlot, slot: SimSlot): void {
    switch (message.kind) {
      case "deploy":
        for (const { id, vertex, subtask, restore } of message.tasks) {
          for (const [other, task] of this.#open) {
            const isSame = task.vertex === vertex && task.subtask === subtask;
            assert(!isSame, `W1: ${id} is deployed while ${other} is open`);
          }
          this.#phases.isRestored = restore !== undefined;
          const place = { vertex, subtask, slot, since: this.#coordinated };
          this.#open.set(id, { ...place, runs: false, isOver: restore?.finished === true, acknowledged: 0 });
        }
        this.#countDeploying();
        break;
      case "commit":
        this.#phases.commits.add(`${message.task} ${message.prepared.sink}`);
        break;
      case "coordinate":
        this.#coordinated = message.checkpoint;
        break;
      case "goOn":
        this.#goneOn = this.#coordinated;
        for (const held of this.#held) if (held.startsWith(`${slot.index} `)) this.#held.delete(held);
        break;
      case "checkpointCompleted":
        this.#onCompleted(message.checkpoint);
        break;
      default:
    }
  }

  says(message: FromSlot, slot: SimSlot): void {
    switch (message.kind) {
      case "deployed":
        for (const id of message.tasks) this.#openTask(id, { runs: true });
        this.#countDeploying();
        break;
      case "closed":
        this.#open.delete(message.task);
        this.#countDeploying();
        break;
      case "prepared":
        this.#openTask(message.task, { isOver: true });
        break;
      case "committed":
      case "commitFailed":
        this.#phases.commits.delete(`${message.task} ${message.sink}`);
        break;
      case "coordinated":
        if (message.checkpoint > this.#goneOn) this.#held.add(`${slot.index} ${message.vertex}`);
        break;
      case "checkpointAcknowledged": {
        const task = this.#open.get(message.task);
        if (task !== undefined) task.acknowledged = Math.max(task.acknowledged, message.checkpoint);
        break;
      }
      case "splits": {
        const vertex = this.#open.get(message.task)?.vertex;
        const isHeld = message.splits !== null && this.#held.has(`${slot.index} ${vertex}`);
        assert(!isHeld, `W4: ${message.task} gets a split while a checkpoint is taken`);
        break;
      }
      default:
    }
  }

  /** An operation of the disk has had its effect. */
  done(operation: DiskOperation, path: string): void {
    if (operation === "remove") this.#onRemoved(path);
    if (operation !== "rename") return;
    const [from = "", to = ""] = path.split(" to ");
    if (to === `${this.#directory}/latest`) {
      const id = idIn(this.#disk.get(to));
      assert(id >= this.#pointed || this.#pointed === Infinity, `W6: the pointer names ${id} after ${this.#pointed}`);
      this.#pointed = id;
      this.#phases.pointed = id as CheckpointId;
    }
    if (/^\/out\/.*\/part-[^/]*$/.test(to)) this.#onVisible(from.slice(from.lastIndexOf("/") + 1), to);
  }

  #openTask(id: TaskId, change: Partial<OpenTask>): void {
    const task = this.#open.get(id);
    if (task !== undefined) Object.assign(task, change);
  }

  #countDeploying(): void {
    this.#phases.deploying = [...this.#open.values()].filter(({ runs }) => !runs).length;
  }

  /** W3 */
  #onCompleted(id: CheckpointId): void {
    for (const [task, { isOver, acknowledged, since }] of this.#open) {
      const isTold = isOver || acknowledged >= id || since >= id;
      assert(isTold, `W3: checkpoint ${id} is completed, and ${task} has not acknowledged it`);
    }
    const pointed = idIn(this.#disk.durable(`${this.#directory}/latest`));
    assert(pointed >= id, `W3: checkpoint ${id} is completed, and the pointer names ${pointed} for certain`);
    if (pointed > id) return;
    const metadata = this.#disk.durable(`${this.#directory}/chk-${id}/_metadata`);
    assert(metadata !== null, `W3: checkpoint ${id} is completed, and its metadata is not durable`);
  }

  /** W2 */
  #onDecided(before: CheckpointingState | null, now: CheckpointingState | null): void {
    if (now === null) return;
    const ids = now.pending.map(({ id }) => id);
    assert(
      ids.every((id, index) => id > (ids[index - 1] ?? 0) && id < now.nextId),
      `W2: under way are ${ids}`,
    );
    if (before === null) return;
    assert(now.nextId >= before.nextId, `W2: ${now.nextId} comes after ${before.nextId}`);
    const newest = before.completed.at(-1) ?? 0;
    const isThere = now.completed.length === 0 ? newest === 0 : now.completed.at(-1)! >= newest;
    assert(isThere, `W2: ${before.completed} were completed, and now ${now.completed} are`);
  }

  /** W5. What is in progress when an endless job ends is state of its last checkpoint, and shown by its end. */
  #onVisible(hidden: string, visible: string): void {
    const { run } = this.#phases;
    if (run?.master.state.commitsBegan === true && !isBounded(run.plan)) return;
    // Without a pointer all that have metadata count.
    const pointed = idIn(this.#disk.durable(`${this.#directory}/latest`)) || Infinity;
    const isCounted = (path: string): boolean =>
      Number(/\/chk-(\d+)\/_metadata$/.exec(path)?.[1] ?? Infinity) <= pointed;
    const checkpoints = this.#disk.paths(this.#directory).filter(isCounted);
    const savepoints = this.#disk.paths(SAVEPOINTS).filter((path) => path.endsWith("/_metadata"));
    for (const path of [...checkpoints, ...savepoints]) {
      const metadata = this.#disk.durable(path);
      if (metadata !== null && Buffer.from(metadata).includes(hidden)) return;
    }
    assert(false, `W5: ${visible} becomes visible, and is in no checkpoint up to ${pointed}, the last one for certain`);
  }

  /** W7. When all have been forgotten they go. */
  #onRemoved(path: string): void {
    if (this.#disk.get(`${this.#directory}/latest`) === null) return;
    const id = Number(/\/chk-(\d+)\/_metadata$/.exec(path)?.[1]) as CheckpointId;
    const retained = this.#phases.run?.master.checkpointing?.completed ?? [];
    assert(!retained.includes(id), `W7: checkpoint ${id} is removed, and the job retains ${retained}`);
  }

  /** W8 */
  #onOver({ taskManager }: EmbeddedJob): void {
    for (const pool of [taskManager.network, taskManager.managed]) {
      const found = [pool.stats().leased, pool.report(), pool.verify()];
      assert(JSON.stringify(found) === "[0,[],[]]", `W8: of a pool is held: ${JSON.stringify(found)}`);
    }
  }
}

/** Undefined: the pointer is damaged. */
export function pointedName(pointer: Uint8Array): string | undefined {
  const [, name = "", sum] = /^(chk-\d+) ([0-9a-f]+)$/.exec(new TextDecoder().decode(pointer)) ?? [];
  return crc32(name).toString(16) === sum ? name : undefined;
}

/** What a pointer names; 0: there is none; Infinity: it is damaged, and all that is there counts. */
export function idIn(pointer: Uint8Array | null): number {
  return pointer === null ? 0 : Number(pointedName(pointer)?.slice("chk-".length) ?? Infinity);
}
