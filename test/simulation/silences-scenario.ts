// A state machine per key in event-time order, its input out of order and spread over subtasks: which device was silent
// when, and what it went through, whatever the links, chunks and schedules.

import { SeededRandom } from "../../src/base/seeded-random.ts";
import { csv, job, jsonl, state, t } from "../../src/index.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { simulateJob } from "../../src/testing/simulate-job.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

const Reading = t.struct({ device: t.string, value: t.f64, at: t.timestamp });
const Step = t.struct({ device: t.string, what: t.string, at: t.f64, watermark: t.f64, steps: t.f64 });
const SECOND_MS = 1_000;

export const silences = job({ name: "silences" }, (env) => {
  const readings = env
    .from("readings", csv("/data/readings.csv", { type: Reading }))
    .eventTime({ at: "at", outOfOrder: "20s", every: "3s" });
  const watched = readings
    .keyBy("device")
    .inOrder()
    .process({
      uid: "watch",
      out: Step,
      state: { steps: state.value(t.f64, { init: () => 0 }) },
      onRecord({ device, value, at }, ctx) {
        ctx.state.steps.set(ctx.state.steps.get() + 1);
        ctx.timers.set("silent", at + 15 * SECOND_MS);
        if (value > 900) ctx.timers.set("check", at);
        ctx.emit({ device, what: `${value}`, at, watermark: ctx.watermark, steps: ctx.state.steps.get() });
      },
      onTimer({ name, at }, ctx) {
        if (ctx.watermark === Infinity) return;
        ctx.emit({ device: ctx.key, what: name, at, watermark: ctx.watermark, steps: ctx.state.steps.get() });
        if (name === "silent") ctx.timers.set("silent", at + 15 * SECOND_MS);
      },
    });
  watched.to("watched", jsonl("/out/watched"));
  watched.side.late.to("late", jsonl("/out/late"));
  // Its own results, in order again: rows of one device have one time at most twice, and come by one channel.
  watched
    .keyBy("device")
    .inOrder()
    .reduce("last", (_, step) => step)
    .to("last-steps", jsonl("/out/last"));
});

/** 600 readings of 11 devices, up to 18 s out of order, which are now and then silent; no two have one time. */
function readingsFile(): string {
  const random = new SeededRandom(7);
  const lines = ["device,value,at"];
  for (let i = 0; i < 600; i += 1) {
    const device = random.below(11);
    if (device < 4 && Math.floor(i / 60) % 4 === device) continue;
    const at = Date.UTC(2026, 0, 5) + i * SECOND_MS - random.below(18) * SECOND_MS + (i % 997);
    lines.push(`D${device},${random.below(1_000)},${new Date(at).toISOString()}`);
  }
  return `${lines.join("\n")}\n`;
}

const READINGS = readingsFile();
export const silencesInput = (disk: SimDisk): void => disk.put("/data/readings.csv", READINGS);

export async function silencesScenario(seed: number): Promise<Outcome> {
  const simulation = await simulateJob(silences, {
    seed,
    parallelism: 1 + (seed % 4),
    realLinks: seed % 5 === 0,
    prepare: silencesInput,
  });
  return outcomeOf(simulation);
}
