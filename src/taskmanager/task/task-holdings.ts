// What a task has to give back.

import type { TaskParts } from "./task-parts.ts";

/** What a task holds that has to be given back. */
export type TaskHoldings = Pick<TaskParts, "source" | "sinks" | "flatMaps" | "operators" | "stores">;

/**
 * Closes everything, also after failures, of which the first is thrown. What lies in the pools first, at once: a slot
 * may be given up while something outside does not settle, and then its memory is others'.
 */
export async function holdingsClose(holdings: TaskHoldings, outcome: "committed" | "abort"): Promise<void> {
  const { source, sinks, flatMaps, operators, stores } = holdings;
  const failures: unknown[] = [];
  const attempt = async (close: () => void | Promise<void>): Promise<void> => {
    try {
      await close();
    } catch (error) {
      failures.push(error); // The rest must close all the same; reported below.
    }
  };
  for (const driver of flatMaps) await attempt(() => driver.close());
  for (const operator of operators) await attempt(() => operator.close());
  for (const store of stores) await attempt(() => store.release());
  if (source) await attempt(() => source.close());
  for (const sink of sinks) {
    if (outcome === "abort") await attempt(() => sink.abort());
    await attempt(() => sink.close());
  }
  if (failures.length > 0) throw failures[0];
}
