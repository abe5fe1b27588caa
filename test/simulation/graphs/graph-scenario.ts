// A random graph whose process, machine, threads, disk, connections, clock and functions fail, and which is started
// again, at whatever parallelism, until it comes to its end: its committed output is that of an undisturbed run.

import { SeededRandom } from "../../../src/base/seeded-random.ts";
import { simulateStarts } from "../../../src/testing/simulate-starts.ts";
import { type Crashed, type Less, NOTHING_LESS, WorldFailed, worldOf } from "../crash-world.ts";
import { graphOf, graphWithout } from "./graph.ts";
import { checkAtEnd, checkMeanwhile, type Visible, visibleOf } from "./graph-check.ts";
import { graphInput, graphJob } from "./graph-job.ts";
import { expectedOf } from "./graph-oracle.ts";

export async function graphScenario(seed: number, less: Less = NOTHING_LESS): Promise<Crashed> {
  const random = new SeededRandom(seed ^ 0x96a94);
  const { planned, ...world } = worldOf(seed, random, less);
  const { faults } = world;
  const rollRows = random.next() < 0.3 ? 1 + random.below(40) : null;
  const combines = random.next() < 0.7;
  const heap = random.next() < 0.2;
  const drawn = graphOf(random, less.halvings);
  const graph = graphWithout(drawn, less.nodes);
  const expected = expectedOf(graph);
  let visible: Visible = new Map();
  try {
    const starts = await simulateStarts(graphJob(graph, { pass: faults.pass, rollRows }), {
      ...world,
      config: (isLast) => ({
        ...world.config(isLast),
        "millrace.pipeline.pre-aggregation": combines,
        "state.backend.type": heap ? "hashmap" : "managed",
      }),
      prepare: (disk) => graphInput(graph, disk),
      onEnded: (disk, _newest, passedOver) => {
        const now = visibleOf(disk);
        checkMeanwhile(expected, visible, now, passedOver);
        visible = now;
      },
      onOver: () => checkAtEnd(expected, visible),
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
