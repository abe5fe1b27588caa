import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CheckpointId, JobId } from "../base/ids.ts";
import type { Plan, PlanOperator } from "../graph/plan.ts";
import { keyGroupRangeOf } from "../state/keys/key-groups.ts";
import type { CheckpointMetadata, OperatorState, StateHandle } from "./format/metadata.ts";
import { restorePlanOf, sourceRestoreOf, subtaskRestoreOf } from "./restore.ts";

const MAX = 128;
const handle = (inline: string): StateHandle => ({ inline });

function operator(uid: string, settings: Partial<PlanOperator> = {}): PlanOperator {
  return {
    ...{ uid, name: uid, kind: "process", options: null, output: null, sides: [], key: null, state: [] },
    ...{ parallelism: 1, maxParallelism: MAX, slotGroup: "default", chaining: "always", onError: "fail" },
    ...settings,
  } as PlanOperator;
}

const SOURCE = operator("in", { kind: "source" });

/** Of a source and a keyed operator, at some parallelism. */
function checkpoint(parallelism: number): CheckpointMetadata {
  const subtasks = Array.from({ length: parallelism }, (_, subtask) => subtask);
  const counts: OperatorState = {
    ...{ uid: "count", parallelism, maxParallelism: MAX, coordinator: null },
    subtasks: subtasks.map((subtask) => {
      const { first, last } = keyGroupRangeOf(subtask, parallelism, MAX);
      const groups = Array.from({ length: last - first + 1 }, (_, index) => handle(`group ${first + index}`));
      return {
        subtask,
        finished: false,
        parts: { operator: handle(`op ${subtask}`) },
        keyed: { first, groups },
        splits: [],
        committables: [],
      };
    }),
  };
  const source: OperatorState = {
    ...{ uid: "in", parallelism, maxParallelism: MAX, coordinator: { left: ["z"] } },
    subtasks: subtasks.map((subtask) => {
      return {
        subtask,
        finished: false,
        parts: {},
        keyed: null,
        splits: [{ id: `s${subtask}`, position: 1 }],
        committables: [],
      };
    }),
  };
  const before: Pick<Plan, "operators"> = { operators: [SOURCE, operator("count")] };
  return {
    ...{ id: 7 as CheckpointId, kind: "savepoint", jobId: "0" as JobId, jobName: "clicks", completedAt: "", files: {} },
    ...{ planHash: "h", planText: JSON.stringify(before), operators: [source, counts] },
  };
}

const planOf = (...operators: readonly PlanOperator[]): Pick<Plan, "name" | "operators"> => ({
  name: "clicks",
  operators,
});

describe("from a checkpoint to subtasks", () => {
  test("each key group goes to the one subtask that has it, at every parallelism; parts go to all (V1)", () => {
    for (let from = 1; from <= 8; from += 1) {
      for (let to = 1; to <= 8; to += 1) {
        const now = operator("count", { parallelism: to });
        const plan = restorePlanOf(checkpoint(from), planOf(SOURCE, now));
        const given = Array.from({ length: to }, (_, subtask) => subtaskRestoreOf(plan, now, subtask));
        const groups = given.flatMap(({ keyed }, subtask) => {
          const { first, last } = keyGroupRangeOf(subtask, to, MAX);
          assert.ok(keyed.every(({ group }) => group >= first && group <= last));
          return keyed;
        });
        assert.deepEqual(
          groups,
          Array.from({ length: MAX }, (_, group) => ({ group, handle: handle(`group ${group}`) })),
        );
        const parts = Array.from({ length: from }, (_, subtask) => handle(`op ${subtask}`));
        for (const each of given) assert.deepEqual(each.parts, { operator: parts });
      }
    }
  });

  test("an operator that had kept nothing, as combiners do, is not missed", () => {
    const metadata = checkpoint(2);
    const empty = { finished: false, parts: {}, keyed: null, splits: [], committables: [] };
    const operators = metadata.operators.map((each) =>
      each.uid === "in" ? each : { ...each, subtasks: each.subtasks.map(({ subtask }) => ({ ...empty, subtask })) },
    );
    assert.deepEqual(restorePlanOf({ ...metadata, operators }, planOf(SOURCE)).dropped, []);
  });

  test("splits go to the coordinator, with what it had", () => {
    const plan = restorePlanOf(checkpoint(2), planOf(SOURCE, operator("count")));
    const splits = ["s0", "s1"].map((id) => ({ id, position: 1 }));
    assert.deepEqual(sourceRestoreOf(plan, "in"), { coordinator: { left: ["z"] }, splits });
    assert.equal(sourceRestoreOf(plan, "other"), null);
  });

  test("an operator that is new begins empty", () => {
    const added = operator("added");
    const plan = restorePlanOf(checkpoint(1), planOf(SOURCE, operator("count"), added));
    assert.deepEqual(subtaskRestoreOf(plan, added, 0), { keyed: [], parts: {} });
  });

  test("state of an operator that is gone is dropped only when the user says so (V2)", () => {
    const without = planOf(SOURCE, operator("counts"));
    assert.throws(() => restorePlanOf(checkpoint(1), without), {
      code: "CHECKPOINT_STATE_LEFT_OVER",
      message:
        'savepoint 7 of "clicks" has state of "count", which is no operator of the job; was it renamed to "counts"?',
      operator: "count",
    });
    assert.deepEqual(restorePlanOf(checkpoint(1), without, { allowNonRestored: true }).dropped, ["count"]);
  });

  test("a uid that stands for another kind of operator is refused, and so are other key groups", () => {
    assert.throws(() => restorePlanOf(checkpoint(1), planOf(SOURCE, operator("count", { kind: "window" }))), {
      code: "CHECKPOINT_OPERATOR_CHANGED",
      message: /a window now, and was a process/,
    });
    assert.throws(() => restorePlanOf(checkpoint(1), planOf(SOURCE, operator("count", { maxParallelism: 256 }))), {
      code: "CHECKPOINT_MAX_PARALLELISM_CHANGED",
      message: /256 key groups now, and had 128/,
    });
  });
});
