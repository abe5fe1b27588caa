// Makes a failing seed smaller: fewer faults, fewer operators, fewer rows, as long as it fails still.

import { type Crashing, type Less, NOTHING_LESS, WorldFailed, type WorldSize } from "./crash-world.ts";

export type Shrunk = {
  readonly less: Less;
  /** Why it still fails. */
  readonly error: unknown;
  readonly runs: number;
};

const RUNS_MAX = 200;
const HALVINGS_MAX = 7;

/** Takes away what it can, one after the other, until nothing can be taken away any more. `error`: of all of it. */
export async function shrunk(crashing: Crashing, seed: number, error: unknown): Promise<Shrunk> {
  const size = error instanceof WorldFailed ? error.size : { faults: 0, nodes: 0 };
  let best: Pick<Shrunk, "less" | "error"> = { less: NOTHING_LESS, error };
  let runs = 0;
  for (let smaller = true; smaller; ) {
    smaller = false;
    for (const less of candidates(best.less, size)) {
      if (runs === RUNS_MAX) return { ...best, runs };
      runs += 1;
      const failure = await failureOf(crashing, seed, less);
      if (failure === null) continue;
      best = { less, error: failure.error };
      smaller = true;
      break;
    }
  }
  return { ...best, runs };
}

async function failureOf(crashing: Crashing, seed: number, less: Less): Promise<{ readonly error: unknown } | null> {
  try {
    await crashing(seed, less);
    return null;
  } catch (error) {
    return { error };
  }
}

/** What takes away most comes first. */
function* candidates(less: Less, size: WorldSize): Generator<Less> {
  const { faults, nodes, halvings } = less;
  const rest = (taken: readonly number[], count: number): number[] =>
    Array.from({ length: count }, (_, index) => index).filter((index) => !taken.includes(index));
  const [faultsLeft, nodesLeft] = [rest(faults, size.faults), rest(nodes, size.nodes)];
  if (faultsLeft.length > 1) yield { ...less, faults: [...faults, ...faultsLeft] };
  if (nodesLeft.length > 1) yield { ...less, nodes: [...nodes, ...nodesLeft] };
  if (halvings < HALVINGS_MAX) yield { ...less, halvings: halvings + 1 };
  for (const index of faultsLeft) yield { ...less, faults: [...faults, index] };
  for (const index of nodesLeft) yield { ...less, nodes: [...nodes, index] };
}
