// Two pipelines in one job that share nothing but slots: each is a region. Functions throw, slots die, the disk fails,
// the process dies; regions begin anew from the newest checkpoint while the other goes on.
//
// What is committed in the end has each record of both pipelines once, and each key's count in order, whichever region
// began anew how often.

import assert from "node:assert/strict";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { CheckpointMetadata } from "../../src/checkpoint/format/metadata.ts";
import { generate, type Job, job, jsonl, type Stream, state, t } from "../../src/index.ts";
import type { FromSlot } from "../../src/protocol/slot-messages.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { type Fault, faultPlanOf, withoutDrains } from "../../src/testing/sim-fault-plan.ts";
import { SimFaults } from "../../src/testing/sim-faults.ts";
import { spread } from "../../src/testing/sim-machine.ts";
import { simulateStarts } from "../../src/testing/simulate-starts.ts";
import { checkpointsConfig } from "./checkpoints-config.ts";
import type { Crashed } from "./crash-world.ts";
import { rowsRead } from "./read-rows.ts";

const Row = t.struct({ n: t.f64, key: t.f64 });
const Counted = t.struct({ n: t.f64, key: t.f64, count: t.f64 });
type Counted = { readonly n: number; readonly key: number; readonly count: number };

const KEYS = 5;
const ROWS_MAX = 300;
/** While a thread starts, tasks are restored, snapshots taken, barriers waited for, output committed, tasks closed. */
const MESSAGES: readonly FromSlot["kind"][] = [
  ...(["ready", "deployed", "coordinated", "checkpointTaken", "checkpointAcknowledged", "committed"] as const),
  "closed",
];
const PIPELINES = ["left", "right"] as const;

/** How often a region began anew while the other one went on, and how often all did. */
export type Recovered = { one: number; all: number };

export async function regionsScenario(seed: number): Promise<Crashed & { readonly recovered: Recovered }> {
  const random = new SeededRandom(seed ^ 0x4e6109);
  const rows = random.next() < 0.5 ? null : 1 + random.below(ROWS_MAX);
  const parallelism = 1 + random.below(3);
  const throws = Array.from({ length: 1 + random.below(4) }, (): Fault => {
    const at = { phase: "running", visit: 1 + random.below(6), events: random.below(40) } as const;
    return { kind: "throw", at, size: 0 };
  });
  const deaths = Array.from({ length: random.below(3) }, (): Fault => {
    const says = MESSAGES[random.below(MESSAGES.length)]!;
    return { kind: "slot", at: { says, nth: 1 + random.below(12), heard: random.next() < 0.5 }, size: 0 };
  });
  const faults = new SimFaults([...withoutDrains(faultPlanOf(random, seed)), ...throws, ...deaths], random);
  const recovered: Recovered = { one: 0, all: 0 };
  let newest: CheckpointMetadata | null = null;
  const config = checkpointsConfig(random);
  const starts = await simulateStarts(pipelines(rows, faults.pass), {
    ...{ seed, faults, realLinks: seed % 5 === 0, config },
    ...(rows === null && { stopMs: spread(random, 20, 600) }),
    parallelism: () => parallelism,
    onEnded: (_disk, at) => {
      if (at !== "damaged") newest = at;
    },
  });
  for (const line of starts.log) {
    if (line.includes("the rest of the job has gone on")) recovered.one += 1;
    if (/^ *all of it, in /m.test(line)) recovered.all += 1;
  }
  try {
    for (const name of PIPELINES) {
      const expected = rows === null ? rowsRead(newest, name) : Array.from({ length: rows }, (_, n) => n);
      check(starts.disk, name, expected);
    }
  } catch (error) {
    const what = [`SEED=${seed} rows ${rows}`, JSON.stringify(faults.plan), ...starts.log];
    throw new Error(what.join("\n"), { cause: error });
  }
  return { ...starts, cells: faults.cells, recovered };
}

function pipelines(rows: number | null, pass: () => void): Job {
  return job({ name: "regions" }, (env) => {
    for (const [index, name] of PIPELINES.entries()) {
      const source = generate(rows ?? Number.POSITIVE_INFINITY, (n) => ({ n, key: n % KEYS }), {
        type: Row,
        rate: 600 + 200 * index,
      });
      const read: Stream<{ n: number; key: number }> = env
        .from(name, source)
        .map((row) => {
          pass();
          return row;
        })
        .uid(`${name}-read`);
      read.to(`${name}-rows`, jsonl(`/out/${name}-rows`));
      read
        .keyBy("key")
        .process({
          uid: `${name}-counts`,
          out: Counted,
          state: { count: state.value(t.f64, { init: () => 0 }) },
          onRecord({ n, key }, ctx) {
            const count = ctx.state.count.get() + 1;
            ctx.state.count.set(count);
            ctx.emit({ n, key, count });
          },
        })
        .to(`${name}-counted`, jsonl(`/out/${name}-counted`));
    }
  });
}

function check(disk: SimDisk, name: string, expected: readonly number[]): void {
  const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((left, right) => left - right);
  const all = sorted(expected);
  assert.deepEqual(sorted(rowsOf(disk, `${name}-rows`).map(({ n }) => n)), all, `${name}: rows`);
  const counted = rowsOf(disk, `${name}-counted`) as readonly Counted[];
  assert.deepEqual(sorted(counted.map(({ n }) => n)), all, `${name}: counted`);
  for (let key = 0; key < KEYS; key += 1) {
    const counts = sorted(counted.filter((row) => row.key === key).map(({ count }) => count));
    assert.deepEqual(
      counts,
      counts.map((_, index) => index + 1),
      `${name}: key ${key}`,
    );
  }
}

function rowsOf(disk: SimDisk, sink: string): readonly { readonly n: number }[] {
  const paths = disk.paths().filter((path) => path.startsWith(`/out/${sink}/part-`));
  const lines = paths.flatMap((path) => new TextDecoder().decode(disk.get(path)!).trimEnd().split("\n"));
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as { n: number });
}
