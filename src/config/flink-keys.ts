// Keys of Flink that have no option here, with what there is in their place.

/** By how their names begin. */
const INSTEAD: readonly (readonly [string, string])[] = [
  ["taskmanager.memory.jvm-", "there is no JVM: see taskmanager.memory.v8-overhead.*"],
  ...["execution.checkpointing.unaligned.", "execution.checkpointing.aligned-checkpoint-timeout"].map(
    (key) =>
      [
        key,
        "barriers overtake no records here; instead little is in flight to a slow task, so that they soon come by: see taskmanager.network.memory.buffer-debloat.*, and leave this out",
      ] as const,
  ),
  ...["samples", "threshold-percentages"].map(
    (name) =>
      [
        `taskmanager.network.memory.buffer-debloat.${name}`,
        "it is measured over whole periods here: see taskmanager.network.memory.buffer-debloat.period, and leave this out",
      ] as const,
  ),
];

/**
 * `MILLRACE_TASKMANAGER_MEMORY_PROCESS_SIZE` for `taskmanager.memory.process.size`. No two keys share a name (a test
 * sees to it).
 */
export function environmentName(key: string): string {
  return `MILLRACE_${key
    .replace(/^millrace\./, "")
    .replace(/[^a-zA-Z0-9]/g, "_")
    .toUpperCase()}`;
}

/** What to do without the key, or the variable, of this name; null: it is none of these. */
export function flinkKeyInstead(name: string): string | null {
  const variable = name.startsWith("MILLRACE_") ? name : environmentName(name);
  return INSTEAD.find(([key]) => variable.startsWith(environmentName(key)))?.[1] ?? null;
}
