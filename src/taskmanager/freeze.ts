// Deep freezing of records under checks, so that a mutation throws at the user's line.

const STEPS_MAX = 100_000;

/**
 * Freezes plain objects and arrays all the way down. Typed arrays, maps and sets cannot be frozen and are left alone.
 */
export function freezeRecord(record: unknown): void {
  if (typeof record !== "object" || record === null || Object.isFrozen(record)) return;
  const open: object[] = [record];
  for (let steps = 0; open.length > 0 && steps < STEPS_MAX; steps += 1) {
    const value = open.pop();
    if (value === undefined || ArrayBuffer.isView(value) || Object.isFrozen(value)) continue;
    Object.freeze(value);
    for (const item of Object.values(value)) if (typeof item === "object" && item !== null) open.push(item);
  }
}
