// Which operators of a job hold managed memory, for `millrace memory explain job.ts`. Pure.

import { memorySizeText } from "../../base/memory-size.ts";
import type { JobGraph } from "../../graph/job-graph.ts";
import type { MemoryRow } from "../../memory/memory-explain.ts";
import type { TaskManagerMemory } from "../../memory/task-manager-memory.ts";
import { operatorNames } from "./operator-names.ts";

/** Rows below "slot managed": each operator with a key, which may hold all that others in its slot do not. */
export function memoryOwnerRows({ plan }: JobGraph, memory: TaskManagerMemory): MemoryRow[] {
  const { managed } = memory.slot;
  const names = operatorNames(plan);
  const owners = plan.operators.filter(({ key }) => key !== null);
  return owners.map(({ uid, kind, parallelism, slotGroup }) => {
    const others = owners.filter((other) => other.slotGroup === slotGroup).length - 1;
    const shared = others === 0 ? "" : `, shared with ${others} other${others === 1 ? "" : "s"}`;
    const subtasks = parallelism === 1 ? "1 subtask" : `${parallelism} subtasks, each in a slot of its own`;
    return {
      component: kind,
      level: 1,
      bytes: managed.bytes,
      pretty: `up to ${memorySizeText(managed.bytes)}`,
      share: managed.bytes / memory.process.bytes,
      origin: `owner: ${names.get(uid)}; ${subtasks}${shared}`,
      key: null,
      operator: uid,
    };
  });
}
