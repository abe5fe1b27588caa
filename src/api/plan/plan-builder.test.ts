import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blackhole } from "../../connectors/blackhole/index.ts";
import { collection } from "../../connectors/collection/index.ts";
import type { Plan } from "../../graph/plan.ts";
import { type JobEnv, job, t } from "../../index.ts";
import { type Job, jobBuild } from "../job.ts";

const DEFAULTS = { parallelism: 2, maxParallelism: null, preAggregation: false };

type Params = { readonly city: string };

async function planOf(build: (env: JobEnv, params: Params) => void, city = "Oslo", name = "plan"): Promise<Plan> {
  const built: Job = job({ name, params: t.struct({ city: t.string }) }, build);
  return (await jobBuild(built, { city }, DEFAULTS)).plan;
}

const rows = (env: JobEnv) => env.from("in", collection([{ id: 1, at: 1 }]));

describe("a plan's hash", () => {
  const simple = (env: JobEnv): void => void rows(env).to("out", blackhole());

  test("is the same for the same job, wherever it is declared", async () => {
    const elsewhere = (env: JobEnv): void => {
      const stream = rows(env);
      stream.to("out", blackhole());
    };
    const [one, other] = [await planOf(simple), await planOf(elsewhere)];
    assert.notDeepEqual(one.locations, other.locations);
    assert.equal(one.hash, other.hash);
    assert.match(one.hash, /^[0-9a-f]{64}$/);
  });

  test("is another for other parameters, another name, and other operators", async () => {
    const hashes = [
      await planOf(simple),
      await planOf(simple, "Rome"),
      await planOf(simple, "Oslo", "other"),
      await planOf((env) => rows(env).rebalance().to("out", blackhole())),
      await planOf((env) => rows(env).parallelism(1).to("out", blackhole())),
    ].map(({ hash }) => hash);
    assert.equal(new Set(hashes).size, hashes.length);
  });
});

describe("the operators of a plan", () => {
  const operatorOf = ({ operators }: Plan, uid: string) =>
    operators.find((operator) => operator.uid === uid) ?? assert.fail(uid);

  test("are in the slot group of their input, unless they say otherwise", async () => {
    const plan = await planOf((env) => {
      rows(env)
        .slotGroup("heavy")
        .map((row) => row)
        .uid("one")
        .map((row) => row)
        .uid("two")
        .to("out", blackhole());
    });
    assert.deepEqual(
      ["in", "one", "two", "out"].map((uid) => operatorOf(plan, uid).slotGroup),
      ["heavy", "heavy", "heavy", "heavy"],
    );
    assert.equal(operatorOf(await planOf((env) => rows(env).to("out", blackhole())), "out").slotGroup, "default");
  });

  test("have their side outputs in the order of their names", async () => {
    const plan = await planOf((env) => {
      const counted = rows(env)
        .keyBy("id")
        .process({
          uid: "split",
          out: t.struct({ id: t.f64 }),
          side: { zebra: t.struct({ id: t.f64 }), ape: t.struct({ id: t.f64 }) },
          onRecord: () => undefined,
        });
      counted.to("out", blackhole());
      counted.side.zebra.to("zebras", blackhole());
      counted.side.ape.to("apes", blackhole());
    });
    assert.deepEqual(
      operatorOf(plan, "split").sides.map(({ name }) => name),
      ["ape", "zebra"],
    );
  });

  test("have at most as many subtasks as key groups", async () => {
    const scaled = (parallelism: number) =>
      planOf((env) =>
        rows(env)
          .map((row) => row)
          .maxParallelism(4)
          .parallelism(parallelism)
          .to("out", blackhole()),
      );
    assert.equal((await scaled(4)).operators[1]?.parallelism, 4);
    await assert.rejects(scaled(5), { code: "PARALLELISM_ABOVE_MAXIMUM" });
  });
});
