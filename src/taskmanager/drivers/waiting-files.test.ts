import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jobBuild } from "../../api/job.ts";
import { UserError } from "../../base/errors.ts";
import { blackhole, count, job, jsonl, type Stream, t, tumbling } from "../../index.ts";
import { simulateJob } from "../../testing/simulate-job.ts";
import { waitingFilesTold } from "./waiting-files.ts";

const Row = t.struct({ id: t.f64, at: t.timestamp });
type Row = { id: number; at: number };

const ROWS = 60_000;

const rowsOf = (file: number): string =>
  Array.from({ length: ROWS }, (_, n) => JSON.stringify({ id: file * ROWS + n, at: n * 1_000 })).join("\n");

type Shape = {
  readonly mode?: "stream" | "batch";
  readonly files?: number;
  readonly inTimeOrder?: boolean;
  readonly read?: (rows: Stream<Row>) => void;
};

const windows = (rows: Stream<Row>): void => {
  rows.keyBy("id").window(tumbling("1m")).aggregate({ n: count() }).to("out", blackhole());
};

/** How the job ends whose keys of one file are too many for its memory. */
async function endOf({ mode = "stream", files = 2, inTimeOrder = false, read = windows }: Shape) {
  const made = job({ name: "files", mode }, (env) => {
    const source = env.from("logs", jsonl("/in/*.jsonl", { type: Row, ...(inTimeOrder && { inTimeOrder }) }));
    read(source.eventTime({ at: "at" }));
  });
  const { error } = await simulateJob(made, {
    seed: 2, // Not one whose messages take longer than it takes to read a file: they tell that nothing else begins.
    parallelism: 1,
    cuts: false,
    config: { "taskmanager.memory.managed.size": "3mb" },
    prepare: (disk) => {
      for (let file = 0; file < files; file += 1) disk.put(`/in/${file}.jsonl`, rowsOf(file));
    },
  });
  return error;
}

const WAITS = /; its windows stay open until the last file of "logs" has been begun$/;

describe("windows that outgrow their memory", () => {
  test("because they wait for files say so, and name inTimeOrder as the way out", async () => {
    const error = await endOf({});
    assert.equal(error?.code, "STATE_BUDGET_EXCEEDED");
    assert.match(error.message, WAITS);
    assert.match(error.fix ?? "", /keep less: use fewer keys, .* smaller outOfOrder/);
    assert.doesNotMatch(error.fix ?? "", /ttl/, "nobody can clear it");
    assert.match(
      error.fix ?? "",
      /^If the files follow one another in time, say inTimeOrder: true for "logs": .* Raise /,
    );
  });

  test("and records that wait for their order do as well", async () => {
    const error = await endOf({
      read: (rows) => void rows.keyBy("id").inOrder().aggregate({ n: count() }).to("out", blackhole()),
    });
    assert.match(error?.message ?? "", /; its records wait until the last file of "logs" has been begun$/);
  });

  test("with inTimeOrder, and with one file, they do not outgrow it", async () => {
    assert.equal(await endOf({ inTimeOrder: true }), null);
    assert.equal(await endOf({ files: 1 }), null);
  });

  test("for other reasons, or in batch mode, they are told as they are", async () => {
    const plain = /is used up$/;
    assert.match((await endOf({ mode: "batch" }))?.message ?? "", plain);
    const running = (rows: Stream<Row>): void => {
      rows.keyBy("id").aggregate({ n: count() }).to("out", blackhole());
    };
    assert.match((await endOf({ read: running }))?.message ?? "", plain);
    const years = (rows: Stream<Row>): void => {
      rows.keyBy("id").window(tumbling("3650d")).aggregate({ n: count() }).to("out", blackhole());
    };
    assert.match((await endOf({ files: 1, read: years }))?.message ?? "", plain);
    const ordered = job({ name: "ordered" }, (env) => {
      windows(env.from("logs", jsonl("/in", { type: Row, inTimeOrder: true })).eventTime({ at: "at" }));
    });
    const { plan } = await jobBuild(ordered, {}, { parallelism: 1, maxParallelism: null, preAggregation: false });
    const operator = plan.operators.find(({ kind }) => kind === "window")?.uid ?? "";
    const error = new UserError("STATE_BUDGET_EXCEEDED", "it is used up", { operator });
    assert.equal(waitingFilesTold(error, plan), error);
  });
});
