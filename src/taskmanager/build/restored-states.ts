// Reads what a task starts from.

import { StateReader } from "../../checkpoint/format/subtask-state.ts";
import type { SubtaskRestore } from "../../checkpoint/restore.ts";
import type { CheckpointStorage } from "../../checkpoint/storage/checkpoint-storage.ts";
import type { PageSource, RestoredState, RestoredStates } from "../task/task-state.ts";

/** By uid; `pages` are those of the same storage. Throws CHECKPOINT_OBJECT_DAMAGED or CHECKPOINT_OBJECT_MISSING. */
export async function restoredStates(
  storage: CheckpointStorage,
  restores: Readonly<Record<string, SubtaskRestore>>,
  pages: PageSource,
): Promise<RestoredStates> {
  const reader = new StateReader(storage);
  try {
    const states = new Map<string, RestoredState>();
    for (const [uid, restore] of Object.entries(restores))
      states.set(uid, { ...(await restoredState(reader, restore)), pages });
    return states;
  } finally {
    await reader.close();
  }
}

async function restoredState(
  reader: StateReader,
  { keyed, parts }: SubtaskRestore,
): Promise<Omit<RestoredState, "pages">> {
  const groups: RestoredState["keyed"][number][] = [];
  for (const { group, handle } of keyed) groups.push({ group, bytes: await reader.read(handle) });
  const restored: Record<string, Buffer[]> = {};
  for (const [name, handles] of Object.entries(parts)) {
    const ofPart: Buffer[] = [];
    for (const handle of handles) ofPart.push(await reader.read(handle));
    restored[name] = ofPart;
  }
  return { keyed: groups, parts: restored };
}
