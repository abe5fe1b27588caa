import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { canonicalHash } from "../../src/base/canonical-json.ts";
import { noBreaks } from "../../src/testing/sim-transport.ts";
import { type Crashing, type Less, lessOf, lessText, NOTHING_LESS, WorldFailed } from "./crash-world.ts";
import { graphScenario } from "./graphs/graph-scenario.ts";
import { movesScenario } from "./moves-scenario.ts";
import { runSeed, type Scenario } from "./scenarios.ts";
import { shrunk } from "./shrink.ts";

const execute = promisify(execFile);

/** The text of all code that is made while `run` runs. */
async function generated(run: () => Promise<unknown>): Promise<Set<string>> {
  const texts = new Set<string>();
  const { Function: original } = globalThis;
  globalThis.Function = new Proxy(original, {
    construct(target, args: string[]) {
      texts.add(args.at(-1) ?? "");
      return Reflect.construct(target, args) as object;
    },
  });
  try {
    await run();
  } finally {
    globalThis.Function = original;
  }
  return texts;
}

describe("seeds of the simulation", () => {
  test("another seed gives another history", async () => {
    const digests = new Set<string>();
    for (let seed = 1; seed <= 8; seed += 1) digests.add((await movesScenario(seed)).digest);
    assert.equal(digests.size, 8);
  });

  test("a seed replays bit for bit, here and in a process of its own", async () => {
    let seed = 1;
    let first = await movesScenario(seed);
    // One with connections that break, and messages that come late.
    for (; first.breaks.cuts === 0 || first.breaks.late === 0; seed += 1) first = await movesScenario(seed + 1);
    const { digest } = first;
    assert.equal((await movesScenario(seed)).digest, digest);
    const script = fileURLToPath(new URL("simulate.ts", import.meta.url));
    const args = [...process.execArgv.filter((arg) => arg.startsWith("--conditions")), script];
    const { stdout } = await execute(process.execPath, [
      ...args,
      "--scenario",
      "moves",
      "--seed",
      `${seed}`,
      "--seeds",
      "1",
    ]);
    assert.equal(JSON.parse(stdout.trim().split("\n").at(-1) ?? "").digest, canonicalHash([digest]));
  });

  test("a failing seed is named, with the command that replays it", async () => {
    const broken: Scenario = { name: "broken", run: async () => assert.fail("wrong result") };
    await assert.rejects(runSeed(broken, 42), (error: Error) => {
      assert.match(error.message, /SEED=42 of broken: npm run simulate -- --scenario broken --seed 42 --seeds 1/);
      assert.match(String((error.cause as Error).message), /wrong result/);
      return true;
    });
  });

  test("a world in which everything fails replays bit for bit, also when there is less of it", async () => {
    const seed = 29;
    for (const less of [NOTHING_LESS, lessOf("f0,n1,h2")]) {
      const [first, second] = [await graphScenario(seed, less), await graphScenario(seed, less)];
      assert.deepEqual([second.digest, second.log], [first.digest, first.log]);
    }
    assert.notEqual((await graphScenario(seed)).digest, (await graphScenario(seed, lessOf("h1"))).digest);
  });

  test("a world that fails is made as small as it can be, and named so that it can be replayed", async () => {
    const size = { faults: 6, nodes: 4 };
    const fails = (less: Less): boolean => !less.faults.includes(2) && !less.nodes.includes(1) && less.halvings <= 3;
    let runs = 0;
    const crashing: Crashing = async (seed, less = NOTHING_LESS) => {
      runs += 1;
      if (fails(less)) throw new WorldFailed(seed, { what: [less], size, cause: new Error("lost") });
      return {} as Awaited<ReturnType<Crashing>>;
    };
    const error = await crashing(7).then(
      () => assert.fail("it does not fail"),
      (failure: unknown) => failure,
    );
    const found = await shrunk(crashing, 7, error);
    const text = lessText({ ...found.less, faults: found.less.faults.toSorted(), nodes: found.less.nodes.toSorted() });
    assert.equal(text, "f0,f1,f3,f4,f5,n0,n2,n3,h3");
    assert.ok(fails(lessOf(text)) && found.runs < 60 && runs === found.runs + 1, `${found.runs} runs`);
    assert.throws(() => lessOf("f0,x1"), /"x1" of f0,x1 is none of/);
  });

  test("a scenario whose history changes from run to run is found out", async () => {
    let runs = 0;
    const run = async () => {
      runs += 1;
      return { digest: String(runs), breaks: noBreaks() };
    };
    const unsteady = { name: "unsteady", run };
    await assert.rejects(runSeed(unsteady, 50), (error: Error) => {
      assert.match(String((error.cause as Error).message), /another history/);
      return true;
    });
  });

  test("a plan has the same code in each run, so that what is warm stays warm", async () => {
    const [first, second] = [await generated(() => movesScenario(2)), await generated(() => movesScenario(5))];
    assert.ok(first.size > 50, `${first.size} texts`);
    // Loops are made for what comes, which may be a batch here and rows there.
    const others = second.difference(first);
    assert.ok(others.size < second.size / 10, `${others.size} of ${second.size} texts are others`);
  });
});
