// Whether a checkpoint is whole: its files as its metadata has them.

import type { CheckpointMetadata } from "./format/metadata.ts";
import { StateFileReader } from "./format/state-file.ts";
import type { CheckpointStorage } from "./storage/checkpoint-storage.ts";
import { damaged } from "./storage/damage.ts";

/** All files are there with their sizes: in the time of a few calls. Throws CHECKPOINT_OBJECT_DAMAGED or …_MISSING. */
export async function checkSizes(storage: CheckpointStorage, { files }: CheckpointMetadata): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    const object = await storage.open(name);
    await object.close();
    if (object.size !== bytes) throw damaged(name, `it has ${object.size} bytes, and had ${bytes}`);
  }
}

/** Also the checksums of all state: reads every byte. Throws as `checkSizes`. */
export async function checkBytes(storage: CheckpointStorage, metadata: CheckpointMetadata): Promise<void> {
  await checkSizes(storage, metadata);
  for (const name of Object.keys(metadata.files)) {
    const reader = await StateFileReader.open(storage, name);
    try {
      await reader.check();
    } finally {
      await reader.close();
    }
  }
}
