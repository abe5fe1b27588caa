// The savepoints of a simulated job: what its user asks for, what becomes of it, and what is started from.
//
//   Z1. A savepoint that was announced is there, and each byte of it stays, whatever dies: at once as a power cut would
//       leave it, and at the end of each process.
//   Z2. One that nobody was told of is there whole, or not at all.
//   Z3. When one is announced the pointer names its checkpoint, or a later one: the job does not go back behind it.
//   Z4. It needs nothing but its folder: before the job is started from one, all of its checkpoints are removed.

import { crc32 } from "node:zlib";
import { assert, EngineError } from "../base/errors.ts";
import { METADATA } from "../checkpoint/completed-store.ts";
import { type CheckpointMetadata, metadataOf } from "../checkpoint/format/metadata.ts";
import type { Savepoint } from "../checkpoint/savepoint.ts";
import type { EmbeddedJob } from "../client/embedded.ts";
import { OPTIONS } from "../config/options.ts";
import type { SimDisk } from "./sim-disk.ts";

export type SavepointAsked = "savepoint" | "move" | "drain";

export type SimSavepointsOptions = {
  readonly disk: SimDisk;
  /** Of the job's checkpoints. */
  readonly directory: string;
  /** The checkpoint that the pointer names for certain; 0: there is none; Infinity: it is damaged. */
  readonly pointed: () => number;
  readonly note: (line: string) => void;
  readonly onWrong: (error: unknown) => void;
};

type Announced = {
  readonly path: string;
  readonly metadata: CheckpointMetadata;
  readonly sums: ReadonlyMap<string, number>;
};
/** What the job is started from. */
type Origin = Announced & { readonly isClaimed: boolean; readonly isOlder: boolean };

export const SAVEPOINTS = "/savepoints";

/** Of one way in which something is asked for: whether a start from it takes the savepoint over. */
const claims = (size: number): boolean => (size * 8) % 1 < 0.4;

export class SimSavepoints {
  readonly #options: SimSavepointsOptions;
  readonly #announced = new Map<string, Announced>();
  #run: EmbeddedJob | null = null;
  #asked = 0;
  /** From which the next process is to start. */
  #next: Origin | null = null;
  /** From which this one has, as long as the job has no checkpoint of its own. */
  #origin: Origin | null = null;

  constructor(options: SimSavepointsOptions) {
    this.#options = options;
  }

  /** A process starts; gives what it is told to start from. */
  begin(hasOwn: () => boolean): Readonly<Record<string, string>> {
    this.#run = null;
    if (this.#next !== null) {
      this.#origin = this.#next;
      this.#next = null;
      this.#options.disk.wipe(this.#options.directory); // Z4
    } else if (this.#origin !== null && hasOwn()) this.#origin = null;
    if (this.#origin === null) return {};
    const { path, isClaimed } = this.#origin;
    if (isClaimed) this.#announced.delete(path);
    const claimMode = isClaimed ? "claim" : "no-claim";
    this.#options.note(`starts from ${path} (${claimMode})`);
    return { [OPTIONS.restorePath.key]: path, [OPTIONS.restoreClaimMode.key]: claimMode };
  }

  /** Its job runs. */
  runs(run: EmbeddedJob): void {
    this.#run = run;
  }

  /** What this process was told to start from. */
  get origin(): CheckpointMetadata | null {
    return this.#origin?.metadata ?? null;
  }

  /** This process was told to go back behind what the job had come to. */
  get wentBack(): boolean {
    return this.#origin?.isOlder === true;
  }

  /** The process has ended: Z1, Z2. `hasOwn`: the job has a checkpoint, or had, and has finished. */
  ended(hasOwn: boolean): void {
    this.#run = null;
    const kept = [...this.#announced.values()];
    // One that is claimed is removed by the job at some time, once it has checkpoints.
    if (this.#origin?.isClaimed === true && !hasOwn) kept.push(this.#origin);
    for (const { path, sums } of kept) {
      for (const [file, sum] of sums) {
        const bytes = this.#options.disk.get(file);
        assert(bytes !== null, `Z1: savepoint ${path} was announced, and ${file} is not there`);
        assert(crc32(bytes) === sum, `Z1: savepoint ${path} was announced, and ${file} has changed`);
      }
    }
    for (const path of this.#folders()) if (path !== this.#origin?.path) this.#contents(path, "Z2");
  }

  /** The user asks for one. `size`: from 0 to 1, in which way. */
  ask(what: SavepointAsked, size: number): void {
    const run = this.#run;
    if (run === null) return;
    this.#asked += 1;
    const path = `${SAVEPOINTS}/s${this.#asked}`;
    const isWritten = what !== "drain" || size < 0.5;
    const how = { savepoint: isWritten ? { path } : null, drain: what === "drain" };
    const asked = what === "savepoint" ? run.savepoint(path) : run.stopWith(how);
    asked
      .then((savepoint) => {
        if (run !== this.#run || savepoint === null) return;
        const announced = this.#onAnnounced(savepoint, run);
        if (what !== "savepoint") this.#next = { ...announced, isClaimed: claims(size), isOlder: false };
      })
      .catch((error: unknown) => this.#onRefused(run, error));
  }

  /** The next process is to start from the last one that the user still has, whatever the job has done since. */
  goBack(size: number): void {
    const last = [...this.#announced.values()].at(-1);
    if (last === undefined) return;
    this.#next = { ...last, isClaimed: claims(size), isOlder: true };
  }

  /** Z1, Z3 */
  #onAnnounced({ path, checkpoint }: Savepoint, { master }: EmbeddedJob): Announced {
    const { pointed } = this.#options;
    const hasFinished = master.state.phase === "done" && master.state.outcome === "finished";
    const isNamed = pointed() >= checkpoint || hasFinished;
    assert(isNamed, `Z3: savepoint ${path} of checkpoint ${checkpoint} is announced, the pointer names ${pointed()}`);
    const { metadata, files } = this.#contents(path, "Z1");
    const sums = new Map(files.map(([file, bytes]) => [file, crc32(bytes)]));
    const announced = { path, metadata, sums };
    this.#announced.set(path, announced);
    this.#options.note(`savepoint ${path} is announced`);
    return announced;
  }

  #onRefused(run: EmbeddedJob, error: unknown): void {
    if (run !== this.#run) return;
    if (error instanceof EngineError && error.domain !== "internal")
      this.#options.note(`no savepoint: ${error.code} ${error.message}`);
    else this.#options.onWrong(error);
  }

  /** Those that are not hidden. */
  #folders(): readonly string[] {
    const paths = this.#options.disk.paths(SAVEPOINTS).map((path) => /^\/savepoints\/[^./][^/]*/.exec(path)?.[0] ?? "");
    return [...new Set(paths)].filter((path) => path !== "");
  }

  /** All that its metadata names, for certain there. */
  #contents(path: string, rule: string): { metadata: CheckpointMetadata; files: (readonly [string, Uint8Array])[] } {
    const { disk } = this.#options;
    const durable = (name: string): readonly [string, Uint8Array] => {
      // What a rename has not made durable is there in whole, or not.
      const bytes = rule === "Z1" ? disk.durable(`${path}/${name}`) : disk.get(`${path}/${name}`);
      assert(bytes !== null, `${rule}: ${name} of savepoint ${path} is not there for certain`);
      return [`${path}/${name}`, bytes];
    };
    const own = durable(METADATA);
    const metadata = metadataOf(METADATA, Buffer.from(own[1]));
    const files = Object.entries(metadata.files).map(([name, size]) => {
      const file = durable(name);
      assert(file[1].length === size, `${rule}: ${name} of savepoint ${path} has ${file[1].length} bytes of ${size}`);
      return file;
    });
    return { metadata, files: [own, ...files] };
  }
}
