// Where checkpoints lie: objects that are written once, and pointers that say which of them count. A directory is one
// (directory-storage.ts); an object store with conditional writes can be another. One contract suite runs them all
// (checkpoint-storage.contract.ts).
//
//   O1. An object is there whole, or not at all; once `commit` has resolved it survives a crash. None is ever changed.
//   O2. A pointer changes by compare-and-set: of two that swap the same value, one succeeds. Once `swap` has resolved,
//       the change survives a crash. When it rejects, nobody knows: read the pointer.
//   O3. Names are paths of parts (`[A-Za-z0-9._-]`, none of dots alone) with "/" between them. A part that begins with
//       "." is the storage's own and is never listed.
//   O4. Failures are ExternalErrors that name the object; what is missing is CHECKPOINT_OBJECT_MISSING.

/** A new object; one call at a time. */
export interface ObjectWriter {
  append(bytes: Uint8Array): Promise<void>;
  /** O1. Rejects with CHECKPOINT_OBJECT_EXISTS when there is one of this name. After any failure: `abort`. */
  commit(): Promise<void>;
  /** Gives back what is held, and leaves nothing unfinished; nothing happens after a `commit` that succeeded. */
  abort(): Promise<void>;
}

export interface ObjectReader {
  readonly size: number;
  /**
   * Exactly these bytes; rejects with CHECKPOINT_OBJECT_DAMAGED beyond the end. They may lie in `room`, which is no
   * smaller: whoever reads much gives the same again and again.
   */
  read(offset: number, length: number, room?: Buffer): Promise<Buffer>;
  close(): Promise<void>;
}

export interface CheckpointStorage {
  /** For people. */
  readonly place: string;
  create(name: string): Promise<ObjectWriter>;
  open(name: string): Promise<ObjectReader>;
  /** Names of all objects and pointers that begin with `prefix` and go on with "/", sorted; "" for all. */
  list(prefix: string): Promise<readonly string[]>;
  /** An object, or all whose names begin with this one and go on with "/". Missing is fine. */
  remove(name: string): Promise<void>;
  /** Null: it was never set. */
  pointer(name: string): Promise<string | null>;
  /** O2. Sets it to `next` if it is `expected`; false: it is not. */
  swap(name: string, expected: string | null, next: string): Promise<boolean>;
}
