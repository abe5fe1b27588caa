import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILD_DEFAULTS } from "../../test/api/job-refusal.ts";
import { jobBuild } from "../api/job.ts";
import type { CheckpointId, JobId } from "../base/ids.ts";
import type { Plan } from "../graph/plan.ts";
import {
  type Aggregates,
  blackhole,
  collection,
  count,
  distinctCount,
  generate,
  type JobEnv,
  job,
  last,
  mean,
  print,
  type StateDeclarations,
  session,
  sliding,
  state,
  sum,
  t,
  tumbling,
} from "../index.ts";
import type { CheckpointMetadata, StateHandle } from "./format/metadata.ts";
import { type RestorePlan, restorePlanOf } from "./restore.ts";

type Build = (env: JobEnv) => unknown;

async function planOf(build: Build): Promise<Plan> {
  const declared = job({ name: "orders" }, (env) => void build(env));
  const { plan } = await jobBuild(declared, {}, BUILD_DEFAULTS);
  return plan;
}

const SOME: StateHandle = { inline: "" };

/** In which every operator has kept something. */
function checkpointOf(plan: Plan): CheckpointMetadata {
  const operators = plan.operators.map(({ uid, key, maxParallelism }) => ({
    ...{ uid, parallelism: 1, maxParallelism, coordinator: null },
    subtasks: [
      {
        ...{ subtask: 0, finished: false, splits: [], committables: [] },
        parts: { operator: SOME },
        keyed: key === null ? null : { first: 0, groups: [SOME] },
      },
    ],
  }));
  return {
    ...{ id: 4 as CheckpointId, kind: "checkpoint", jobId: "0" as JobId, jobName: plan.name, completedAt: "" },
    ...{ planHash: plan.hash, planText: JSON.stringify(plan), operators, files: {} },
  };
}

async function restored(before: Build, now: Build, allowNonRestored = false): Promise<RestorePlan> {
  return restorePlanOf(checkpointOf(await planOf(before)), await planOf(now), { allowNonRestored });
}

const Order = t.struct({ customer: t.string, id: t.i32, price: t.f64, note: t.string.optional(), ts: t.timestamp });
const orders = (env: JobEnv) => env.from("in", collection([], { type: Order }));

const processed =
  (states: StateDeclarations, uid = "totals") =>
  (env: JobEnv) =>
    orders(env)
      .keyBy("customer")
      .process({ uid, state: states, out: Order, onRecord: (order, ctx) => ctx.emit(order as never) })
      .to("out", blackhole());

const timed = (env: JobEnv) => orders(env).eventTime({ at: "ts" }).keyBy("customer");

describe("state that a checkpoint has, under a job that has changed", () => {
  const Old = t.struct({ n: t.i32 });

  test("is taken over where its type has a place for it, or a migration says what becomes of it", async () => {
    const before = processed({ a: state.value(Old), b: state.map(t.string, t.i32), c: state.list(Old) });
    const wider = processed({
      a: state.value(t.struct({ n: t.f64, note: t.string.nullable() }), { ttl: "1d" }),
      b: state.map(t.string, t.i64),
      c: state.list(t.struct({ id: t.string }), { migrate: { from: Old, with: ({ n }) => ({ id: `${n}` }) } }),
      d: state.value(t.f64),
    });
    const { dropped, droppedStates } = await restored(before, wider);
    assert.deepEqual([dropped, droppedStates], [[], []]);
  });

  test("is refused with operator, state, both types and what helps, before any task starts", async () => {
    const before = processed({ last: state.value(Old), seen: state.map(t.string, t.i32) });
    await assert.rejects(
      restored(before, processed({ last: state.value(t.struct({ n: t.string })), seen: state.map(t.string, t.i32) })),
      {
        code: "CHECKPOINT_STATE_CHANGED",
        operator: "totals",
        message:
          'state "last" of "totals" is value { n: string } now, and was value { n: i32 } when checkpoint 4 of "orders" was taken: n: it was i32, and is string',
        fix: /migrate: \{ from: .*, with: \(old\) => … \}/,
      },
    );
    await assert.rejects(restored(before, processed({ last: state.list(Old), seen: state.map(t.string, t.i32) })), {
      code: "CHECKPOINT_STATE_CHANGED",
      message: /is list of .* now, and was value .*: it was of the kind value, and is of the kind list/,
    });
    await assert.rejects(restored(before, processed({ last: state.value(Old), seen: state.map(t.i32, t.i32) })), {
      code: "CHECKPOINT_STATE_CHANGED",
      message: /its keys were string, and are i32/,
    });
    const other = state.value(t.string, { migrate: { from: t.bool, with: String } });
    await assert.rejects(restored(before, processed({ last: other, seen: state.map(t.string, t.i32) })), {
      code: "CHECKPOINT_STATE_CHANGED",
    });
  });

  test("that is declared no more, or under another name, is dropped only when the user says so", async () => {
    const before = processed({ totals: state.value(Old), seen: state.value(t.f64) });
    const now = processed({ total: state.value(Old), seen: state.value(t.f64) });
    await assert.rejects(restored(before, now), {
      code: "CHECKPOINT_STATE_LEFT_OVER",
      operator: "totals",
      message:
        'checkpoint 4 of "orders" has the state "totals" of "totals", which declares none of that name; was it renamed to "total"?',
    });
    const { dropped, droppedStates } = await restored(before, now, true);
    assert.deepEqual([dropped, droppedStates], [[], [{ uid: "totals", state: "totals" }]]);
  });

  test("of two operators that have changed their uids is refused", async () => {
    const two = (first: string, second: string) => (env: JobEnv) => {
      processed({ a: state.value(t.f64) }, first)(env);
      const stream = env.from("in2", collection([], { type: Order })).keyBy("customer");
      stream
        .process({ uid: second, state: { b: state.value(t.f64) }, out: Order, onRecord: () => undefined })
        .to("out2", blackhole());
    };
    await assert.rejects(restored(two("one", "other"), two("other", "one")), {
      code: "CHECKPOINT_STATE_LEFT_OVER",
      message: /has the state "[ab]" of "(one|other)", which declares none of that name/,
    });
  });

  test("of another key is refused, also of the second input", async () => {
    const keyed = (field: "customer" | "id" | "price") => (env: JobEnv) =>
      orders(env)
        .keyBy(field)
        .reduce("sums", (left) => left)
        .to("out", print());
    await assert.rejects(restored(keyed("id"), keyed("price")), {
      code: "CHECKPOINT_KEY_CHANGED",
      message: 'the key of "sums" is of type f64 now, and was i32 when checkpoint 4 of "orders" was taken',
    });
    const connected = (field: "id" | "price") => (env: JobEnv) => {
      const keys = (order: { readonly id: number; readonly price: number }) => order[field];
      orders(env)
        .keyBy(keys, t.f64)
        .connect(env.from("in2", collection([], { type: Order })).keyBy(keys, t.f64))
        .process({ uid: "both", out: Order, onLeft: () => undefined, onRight: () => undefined })
        .to("out", blackhole());
    };
    const left = await planOf(connected("id"));
    const right = await planOf(connected("price"));
    const changed = JSON.parse(JSON.stringify(right)) as {
      operators: { uid: string; options: { rightKey: object } }[];
    };
    const both = changed.operators.find(({ uid }) => uid === "both");
    Object.assign(both!.options.rightKey, { type: { kind: "string" } });
    assert.doesNotThrow(() => restorePlanOf(checkpointOf(left), right));
    assert.throws(() => restorePlanOf(checkpointOf(left), changed as unknown as Plan), {
      code: "CHECKPOINT_KEY_CHANGED",
      message: /the key of the second input of "both" is of type string now, and was f64/,
    });
  });

  test("of a reduction or of records that wait for event time follows the type of the records", async () => {
    const typed = (Type: typeof Order | ReturnType<typeof wider>, inOrder: boolean) => (env: JobEnv) => {
      const keyed = env
        .from(
          "in",
          generate(1, () => assert.fail(), { type: Type as typeof Order }),
        )
        .eventTime({ at: "ts" });
      const stream = keyed.keyBy("customer");
      (inOrder ? stream.inOrder() : stream).reduce("latest", (left) => left).to("out", print());
    };
    const wider = () =>
      t.struct({ customer: t.string, id: t.i64, price: t.f64, ts: t.timestamp, added: t.bool.nullable() });
    for (const inOrder of [false, true]) {
      await restored(typed(Order, inOrder), typed(wider(), inOrder));
      await assert.rejects(restored(typed(wider(), inOrder), typed(Order, inOrder)), {
        code: "CHECKPOINT_STATE_CHANGED",
        fix: /leave the type of its records as it was/,
      });
    }
    await restored(typed(Order, false), typed(Order, true));
    await assert.rejects(restored(typed(Order, true), typed(Order, false)), {
      code: "CHECKPOINT_STATE_CHANGED",
      message: /it waited for event time, and does not any more/,
    });
  });

  test("of windows and aggregates is taken over only where they are computed as before", async () => {
    type Declared = Aggregates<{ customer: string; id: number; price: number; ts: number }>;
    const SUMS = { n: count(), paid: sum("price"), ids: distinctCount("id") } as Declared;
    const running = (aggregates: Declared) => (env: JobEnv) =>
      orders(env).keyBy("customer").aggregate(aggregates).uid("sums").to("out", print());
    const windowed =
      (window: ReturnType<typeof tumbling> | ReturnType<typeof session>, late: "1m" | "2m", aggregates = SUMS) =>
      (env: JobEnv) =>
        timed(env)
          .window(window)
          .allowLate(late)
          .aggregate(aggregates)
          .uid("sums")
          .to("out", print({ op: true }));
    await restored(
      running(SUMS),
      running({ orders: count(), paid: sum("price"), people: distinctCount("id") } as Declared),
    );
    await restored(windowed(tumbling("1m"), "1m"), windowed(tumbling("1m"), "2m"));
    const refusals: readonly (readonly [Build, Build, RegExp])[] = [
      [running(SUMS), running({ ...SUMS, more: last("price") } as Declared), /it computes other aggregates/],
      [
        running(SUMS),
        running({ n: count(), paid: mean("price"), ids: distinctCount("id") } as Declared),
        /it computes other/,
      ],
      [windowed(tumbling("1m"), "1m"), windowed(tumbling("2m"), "1m"), /its windows are others/],
      [windowed(tumbling("1m"), "1m"), windowed(sliding("1m", "30s"), "1m"), /its windows are others/],
      [windowed(session("1m"), "1m"), windowed(session("1m"), "2m"), /its sessions are kept for another time/],
      [windowed(tumbling("1m"), "1m"), windowed(tumbling("1m"), "1m", { n: count() } as Declared), /other aggregates/],
    ];
    for (const [before, now, message] of refusals) {
      await assert.rejects(restored(before, now), { code: "CHECKPOINT_STATE_CHANGED", operator: "sums", message });
    }
    const missing = (Type: typeof Order) => (env: JobEnv) =>
      env
        .from("in", collection([], { type: Type }))
        .keyBy("customer")
        .aggregate({ paid: sum("price") })
        .uid("sums")
        .to("out", print());
    const Optional = t.struct({ customer: t.string, price: t.f64.optional() }) as unknown as typeof Order;
    await assert.rejects(restored(missing(Order), missing(Optional)), {
      code: "CHECKPOINT_STATE_CHANGED",
      message: /the types of the fields that it aggregates are others/,
    });
  });

  test("of another connector is refused", async () => {
    const from = (kind: "collection" | "generate") => (env: JobEnv) =>
      (kind === "collection"
        ? orders(env)
        : env.from(
            "in",
            generate(3, () => assert.fail(), { type: Order }),
          )
      ).to("out", print());
    await assert.rejects(restored(from("collection"), from("generate")), {
      code: "CHECKPOINT_OPERATOR_CHANGED",
      message: '"in" is generate now, and was collection when checkpoint 4 of "orders" was taken',
    });
  });
});
