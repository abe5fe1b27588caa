// Files of checkpoints in memory, as a storage of checkpoints: reads only.

import type { CheckpointStorage, ObjectReader, ObjectWriter } from "../../src/checkpoint/storage/checkpoint-storage.ts";
import { damaged } from "../../src/checkpoint/storage/damage.ts";
import { ExternalError } from "../../src/index.ts";

export class MemoryStorage implements CheckpointStorage {
  readonly place = "memory";
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files;
  }

  async open(name: string): Promise<ObjectReader> {
    const bytes = this.#files.get(name);
    if (bytes === undefined) {
      throw new ExternalError("CHECKPOINT_OBJECT_MISSING", `there is no ${name}`, { fix: "use an older one" });
    }
    return {
      size: bytes.length,
      read: async (offset, length) => {
        if (offset + length > bytes.length) throw damaged(name, `it ends at ${bytes.length}`);
        return Buffer.from(bytes.subarray(offset, offset + length));
      },
      close: async () => undefined,
    };
  }

  async list(prefix: string): Promise<readonly string[]> {
    return [...this.#files.keys()].filter((name) => prefix === "" || name.startsWith(`${prefix}/`)).sort();
  }

  async pointer(name: string): Promise<string | null> {
    const bytes = this.#files.get(name);
    return bytes === undefined ? null : Buffer.from(bytes).toString("utf8");
  }

  create(): Promise<ObjectWriter> {
    throw new Error("it is for reading");
  }

  remove(): Promise<void> {
    throw new Error("it is for reading");
  }

  swap(): Promise<boolean> {
    throw new Error("it is for reading");
  }
}
