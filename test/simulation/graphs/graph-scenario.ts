// A random graph whose process, machine, threads, disk, connections, clock and functions fail, and which is started
// again, at whatever parallelism, until it comes to its end: its committed output is that of an undisturbed run.

import { SeededRandom } from "../../../src/base/seeded-random.ts";
import { simulateStarts } from "../../../src/testing/simulate-starts.ts";
import { type Crashed, type Less, NOTHING_LESS, WorldFailed, worldOf } from "../crash-world.ts";
import { graphOf, graphWithout } from "./graph.ts";
import { checkAtEnd, checkMeanwhile, readOf, type Visible, visibleOf } from "./graph-check.ts";
import { graphInput, graphJob } from "./graph-job.ts";
import { expectedOf } from "./graph-oracle.ts";

export async function graphScenario(seed: number, less: Less = NOTHING_LESS): Promise<Crashed> {
  const random = new SeededRandom(seed ^ 0x96a94);
  const rollRows = random.next() < 0.3 ? 1 + random.below(40) : null;
  const combines = random.next() < 0.7;
  const heap = random.next() < 0.2;
  const drawn = graphOf(random, less.halvings);
  const graph = graphWithout(drawn, less.nodes);
  const { planned, ...world } = worldOf({ seed, random, less, drains: true });
  const { faults } = world;
  const expected = expectedOf(graph);
  const taps = faults.plan.some(({ kind }) => kind === "drain");
  /** Its input was ended where it was: which rows were read, their sinks say. */
  let isDrained = false;
  let visible: Visible = new Map();
  try {
    const starts = await simulateStarts(graphJob(graph, { pass: faults.pass, rollRows, taps }), {
      ...world,
      config: (isLast) => ({
        ...world.config(isLast),
        "millrace.pipeline.pre-aggregation": combines,
        "state.backend.type": heap ? "hashmap" : "managed",
      }),
      prepare: (disk) => graphInput(graph, disk),
      onEnded: (disk, newest, wentBack) => {
        const now = visibleOf(disk);
        if (newest !== "damaged" && newest !== null) isDrained = newest.drained === true;
        checkMeanwhile(isDrained ? null : expected, visible, now, wentBack);
        visible = now;
      },
      onOver: () => checkAtEnd(isDrained ? expectedOf(graph, (source) => readOf(visible, source)) : expected, visible),
    });
    return { ...starts, cells: faults.cells };
  } catch (cause) {
    throw new WorldFailed(seed, {
      what: [graph, faults.plan],
      size: { faults: planned, nodes: drawn.nodes.length },
      cause,
    });
  }
}
