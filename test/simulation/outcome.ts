// What a simulated job left on its disk.

import type { SimDisk } from "../../src/testing/sim-disk.ts";
import type { SimBreaks } from "../../src/testing/sim-transport.ts";
import type { Simulation } from "../../src/testing/simulate-job.ts";

export type Outcome = { readonly rows: readonly string[]; readonly digest: string; readonly breaks: SimBreaks };

export function outcomeOf({ error, disk, digest, breaks }: Simulation): Outcome {
  if (error !== null) throw error;
  return { rows: rowsOf(disk), digest, breaks };
}

/** The visible rows below /out as sorted lines, each with its folder. */
export function rowsOf(disk: SimDisk): readonly string[] {
  return disk
    .paths()
    .filter((path) => /^\/out\/\w+\/[^._][^/]*$/.test(path)) // Markers of the sink are hidden files.
    .flatMap((path) => {
      const text = new TextDecoder().decode(disk.get(path) ?? new Uint8Array());
      const lines = text.split("\n").filter((line) => line !== "");
      return lines.map((line) => `${path.split("/")[2]} ${line}`);
    })
    .sort();
}
