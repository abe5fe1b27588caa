// A job whose three sinks are in different tasks, on several slots, and a world that does something to it at one chosen
// moment: as a task says that it has prepared, as a slot says that it has committed, or while nobody looks. Every seed
// draws the moment and what happens then.
//
// Whatever it is: nothing is visible before commits begin. Once they have begun, the job ends with everything visible,
// or it fails and names what is missing.

import assert from "node:assert/strict";
import { ExternalError } from "../../src/base/errors.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { collection, generate, job, jsonl } from "../../src/index.ts";
import type { FromSlot } from "../../src/protocol/slot-messages.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { type Simulation, simulateJob } from "../../src/testing/simulate-job.ts";

/** What the world does. */
const FATES = [
  "nothing", // The connection between job master and TaskManager may break all the same, and comes again.
  "throws", // User code does, in a task that has not prepared yet.
  "slot dies",
  "slot dies unheard", // What it has said last is lost with it.
  "every slot dies",
  "disk fails", // And goes on failing.
  "disk fails for a while",
  "disk is full",
  "cancel",
  "master gives up", // It fails the job for a reason of its own.
  "session is lost", // Job master and TaskManager hear nothing more of each other.
] as const;
type Fate = (typeof FATES)[number];

const SINKS = ["plain", "spread", "keyed"] as const;
const ROWS = 60;
/** Of an earlier run; stays until the new one commits. */
const OLD = '{"old":true}\n';

type Weather = {
  readonly fate: Fate;
  /** The message at which it comes; "time": after `atMs`. */
  readonly moment: "prepared" | "committed" | "time";
  readonly nth: number;
  readonly atMs: number;
  readonly isEndless: boolean;
  readonly parallelism: number;
};

export async function commitScenario(seed: number): Promise<Simulation> {
  const random = new SeededRandom(seed ^ 0xc0331);
  const weather: Weather = {
    fate: FATES[seed % FATES.length]!,
    moment: (["prepared", "committed", "time"] as const)[random.below(3)]!,
    nth: 1 + random.below(6),
    atMs: random.next() * 150,
    isEndless: random.next() < 0.4,
    parallelism: 1 + random.below(3),
  };
  const world = new World(weather);
  const simulation = await simulateJob(jobOf(weather, world), {
    seed,
    parallelism: weather.parallelism,
    config: { "sink.committer.retries": 3, "heartbeat.timeout": "10s" },
    parted: () => world.isParted,
    prepare: (disk) => world.begin(disk),
    slots: { says: (message) => world.said(message) },
    during: (run, env) => {
      if (weather.isEndless) env.timers.after(100, () => run.stop());
      // Heartbeats alone do not keep the world going.
      if (weather.fate === "session is lost") env.timers.after(3_600_000, () => undefined);
      if (weather.moment === "time") env.timers.after(weather.atMs, () => world.strike());
      world.cancel = () => run.cancel();
      world.fail = () => run.fail(new ExternalError("GOES_DOWN", "the machine goes down"));
    },
  });
  check(simulation, weather, world);
  return simulation;
}

/** Rows go to three sinks, of which two are in tasks of their own. */
function jobOf({ isEndless }: Weather, world: World) {
  return job({ name: "commits" }, (env) => {
    const rows = isEndless
      ? env.from(
          "in",
          generate(Number.POSITIVE_INFINITY, (n) => ({ n }), { rate: 1_000 }),
        )
      : env.from("in", collection(Array.from({ length: ROWS }, (_, n) => ({ n }))));
    const checked = rows.map((row) => world.pass(row)).uid("checked");
    checked.to("plain", jsonl("/out/plain", { roll: { rows: 7 } }));
    const spread = checked.rebalance().map((row) => world.pass(row));
    spread.uid("again").to("spread", jsonl("/out/spread", { roll: { rows: 11 } }));
    const keyed = checked.keyBy("n").reduce("last", (_before, row) => row);
    keyed.to("keyed", jsonl("/out/keyed"));
  });
}

class World {
  readonly #weather: Weather;
  isParted = false;
  #disk: SimDisk | null = null;
  #heard = 0;
  #struck = false;
  #dying = false;
  cancel = (): void => undefined;
  fail = (): void => undefined;
  /** What a slot has said that it has committed, and the job master has heard. */
  readonly committed = new Set<string>();

  constructor(weather: Weather) {
    this.#weather = weather;
  }

  begin(disk: SimDisk): void {
    this.#disk = disk;
    for (const sink of SINKS) {
      disk.put(
        `/out/${sink}/.millrace-0-1.json`,
        `{"uid":"${sink}","job":"old","attempt":0,"since":0,"kept":[],"committed":1}`,
      );
      disk.put(`/out/${sink}/part-000-00000-old-0.jsonl`, OLD);
    }
  }

  /** User code. */
  pass<T>(row: T): T {
    if (this.#weather.fate === "throws" && this.#struck) throw new Error("user code gives up");
    return row;
  }

  said(message: FromSlot): "unheard" | "heard" | null {
    const { moment, nth } = this.#weather;
    if (message.kind === moment) {
      this.#heard += 1;
      if (this.#heard === nth) this.strike();
    }
    const death = this.#death(message.kind);
    if (message.kind === "committed" && death !== "unheard") {
      this.committed.add(`${message.sink} ${message.task.split("/")[1]}`);
    }
    return death;
  }

  #death(kind: FromSlot["kind"]): "unheard" | "heard" | null {
    const { fate } = this.#weather;
    if (fate === "every slot dies" && this.#struck) return "heard";
    if (!this.#dying || (kind !== "prepared" && kind !== "committed")) return null;
    this.#dying = false;
    return fate === "slot dies unheard" ? "unheard" : "heard";
  }

  strike(): void {
    if (this.#struck) return;
    this.#struck = true;
    const { fate } = this.#weather;
    if (fate === "slot dies" || fate === "slot dies unheard") this.#dying = true;
    else if (fate === "session is lost") this.isParted = true;
    else if (fate === "cancel") this.cancel();
    else if (fate === "master gives up") this.fail();
    else if (fate.startsWith("disk")) this.#breakDisk(fate);
  }

  #breakDisk(fate: Fate): void {
    const { faults } = this.#disk!;
    let left = fate === "disk fails for a while" ? 3 : Infinity;
    const code = fate === "disk is full" ? "DISK_FULL" : "DISK_READ_ONLY";
    faults.fail = (operation) => {
      const changes = operation === "rename" || (operation === "append" && code === "DISK_FULL");
      if (!changes || left === 0) return null;
      left -= 1;
      return code;
    };
  }
}

/** What came of a seed, so that a test can see that each happens. */
export type CommitEnd = "whole" | "nothing" | "part";

export function endOf({ outcome, commitsBegan }: Simulation): CommitEnd {
  if (!commitsBegan) return "nothing";
  return outcome === "failed" ? "part" : "whole";
}

function check(simulation: Simulation, weather: Weather, world: World): void {
  const end = endOf(simulation);
  const what = `${JSON.stringify(weather)}: ${simulation.outcome}, ${end}, ${simulation.error?.message}`;
  for (const sink of SINKS) assertEachOnce(rowsOf(simulation.disk, sink), what);
  if (end === "nothing") assertNothing(simulation, weather, what);
  else if (end === "whole") assertWhole(simulation, weather, what);
  else assertPart(simulation, world, what);
}

function assertEachOnce(rows: readonly string[], what: string): void {
  assert.equal(new Set(rows).size, rows.length, `a row twice: ${what}`);
}

function assertNothing({ disk, outcome, error }: Simulation, { fate }: Weather, what: string): void {
  for (const sink of SINKS) assert.deepEqual(rowsOf(disk, sink), [OLD.trim()], what);
  assert.ok(outcome !== "finished" && (outcome === "cancelled" || error !== null), what);
  if (fate === "throws" || fate === "cancel" || fate === "master gives up") assert.deepEqual(hidden(disk), [], what);
}

function assertWhole({ disk, error }: Simulation, { isEndless }: Weather, what: string): void {
  assert.equal(error, null, what);
  assert.deepEqual(hidden(disk), [], what);
  for (const sink of SINKS) {
    const rows = rowsOf(disk, sink);
    if (isEndless) assert.ok(rows.includes(OLD.trim()), what);
    else assert.deepEqual(rows, Array.from({ length: ROWS }, (_, n) => JSON.stringify({ n })).sort(), what);
  }
}

/** What is named as committed is there; what is not named so is named as missing. */
function assertPart({ disk, error }: Simulation, world: World, what: string): void {
  const named =
    /; (?:all of its output is committed|not committed, or not all of it: (.+?); (?:committed: (.+)|nothing else is committed))$/.exec(
      error?.message ?? "",
    );
  assert.ok(named !== null, what);
  const committed = namesIn(named[2] ?? "");
  const missing = namesIn(named[1] ?? "");
  for (const name of committed) {
    assert.ok(world.committed.has(name), `${name} was not acknowledged: ${what}`);
    assert.deepEqual(
      hidden(disk).filter((path) => path.startsWith(partsOf(name))),
      [],
      what,
    );
  }
  if (named[1] === undefined) assert.deepEqual(hidden(disk), [], what);
  else assert.ok(missing.length > 0, what);
  const all = new Set([...committed, ...missing]);
  assert.equal(all.size, committed.length + missing.length, what);
  for (const path of hidden(disk))
    assert.ok(
      missing.some((name) => path.startsWith(partsOf(name))),
      `${path}: ${what}`,
    );
}

/** `"plain" subtasks 1, 2 (4 tries), "keyed" subtask 1` as "plain 0", "plain 1", "keyed 0". */
function namesIn(text: string): string[] {
  return [...text.matchAll(/"(\w+)" subtasks? (\d+(?:, \d+)*)/g)].flatMap(([, sink, subtasks = ""]) =>
    subtasks.split(", ").map((subtask) => `${sink} ${Number(subtask) - 1}`),
  );
}

function partsOf(name: string): string {
  const [sink, subtask = ""] = name.split(" ");
  return `/out/${sink}/.part-${subtask.padStart(3, "0")}-`;
}

function rowsOf(disk: SimDisk, sink: string): string[] {
  const paths = disk.paths().filter((path) => path.startsWith(`/out/${sink}/part-`));
  return paths.flatMap((path) => new TextDecoder().decode(disk.get(path)!).trimEnd().split("\n")).sort();
}

function hidden(disk: SimDisk): string[] {
  return disk.paths().filter((path) => /\/\.part-.*\.tmp$/.test(path));
}
