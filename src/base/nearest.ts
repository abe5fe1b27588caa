// "Did you mean": the known name that a mistyped one most likely stands for.

/**
 * The candidate with the smallest edit distance (insert, delete, replace, swap of neighbours; case is free), or null
 * when even that one is too far: more than two edits and more than a third of the longer name, more than half of it, or
 * more than `editsMax`. The first of equals wins.
 */
export function nearest(name: string, candidates: Iterable<string>, editsMax = Infinity): string | null {
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const longer = Math.max(name.length, candidate.length);
    const limit = Math.min(editsMax, Math.max(2, Math.floor(longer / 3)), Math.floor(longer / 2));
    if (Math.abs(name.length - candidate.length) > limit) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance <= limit && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment, three rows at a time. */
function editDistance(left: string, right: string): number {
  let older: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      let distance = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + (same ? 0 : 1));
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) distance = Math.min(distance, older[column - 2]! + 1);
      current.push(distance);
    }
    older = previous;
    previous = current;
  }
  return previous[right.length]!;
}
