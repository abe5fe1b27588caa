// How a job with checkpoints is set up, as the seed has it: from checkpoints all the time to hardly any.

import type { SeededRandom } from "../../src/base/seeded-random.ts";
import type { PlanNeeds } from "../../src/testing/sim-fault-plan.ts";
import { spread } from "../../src/testing/sim-machine.ts";

type Config = Readonly<Record<string, string | number | boolean>>;

const NOTHING_NEEDED: PlanNeeds = { givesUp: false, often: false };
const OFTEN_MAX_MS = 40;

/** `isLast`: nothing is so short that the job never gets through. */
export function checkpointsConfig(random: SeededRandom, needs = NOTHING_NEEDED): (isLast: boolean) => Config {
  const several = random.next() < 0.2;
  const short = {
    "execution.checkpointing.timeout": random.next() < 0.2 ? `${spread(random, 10, 200).toFixed(3)}ms` : "10min",
    "execution.checkpointing.tolerable-failed-checkpoints": random.next() < 0.3 ? random.below(3) : 10,
    ...(needs.givesUp && { "restart-strategy.type": "none" }),
  };
  const intervalMs = spread(random, 10, needs.often ? OFTEN_MAX_MS : 500);
  const maxConcurrent = several ? 2 + random.below(3) : 1;
  const retained = 1 + random.below(3);
  const inline = random.next();
  const config = {
    "execution.checkpointing.interval": `${intervalMs.toFixed(3)}ms`,
    "execution.checkpointing.max-concurrent-checkpoints": maxConcurrent,
    "execution.checkpointing.num-retained": retained,
    "execution.checkpointing.data-inline-threshold": inline < 0.5 ? "0b" : "20kb",
    "state.backend.type": (inline * 8) % 1 < 0.3 ? "hashmap" : "managed",
    "execution.checkpointing.snapshot-compression": random.next() < 0.3,
    "restart-strategy.exponential-delay.initial-backoff": "20ms",
    "sink.committer.retries": 3,
    "execution.checkpointing.pages-threshold": random.next() < 0.5 ? "0b" : "1mb",
    "millrace.task.watchdog-timeout": "10s", // Some slots hang.
  };
  return (isLast) => (isLast ? config : { ...config, ...short });
}
