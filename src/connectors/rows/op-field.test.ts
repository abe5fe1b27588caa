import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Change, changes } from "../../../test/connectors/changes.ts";
import { csv, type JobEnv, job, jsonl, print, t } from "../../index.ts";
import type { SinkWriter, SinkWriterContext } from "../../operators/sink.ts";
import { simulateJob } from "../../testing/simulate-job.ts";
import { withOp } from "./op-field.ts";

const Row = t.struct({ id: t.f64, v: t.string });
type Row = { readonly id: number; readonly v: string };

const GIVEN: readonly Change<Row>[] = ([0, 1, 2, 3] as const).map((kind) => ({ kind, row: { id: kind, v: "x" } }));
const RETRACT = { kind: "retract" } as const;

async function written(build: (env: JobEnv) => void, file: string): Promise<string> {
  const { error, disk } = await simulateJob(job({ name: "op" }, build), { seed: 1, parallelism: 1 });
  if (error !== null) throw error;
  return Buffer.from(disk.get(file) ?? []).toString();
}

describe("the kind of a row as its field op", () => {
  test("stands before the others in files, of declared types and of others", async () => {
    const [declared, learned] = [Row, undefined];
    for (const type of [declared, learned]) {
      const rows = (env: JobEnv) => env.from("in", changes(GIVEN, RETRACT, type));
      assert.equal(
        await written((env) => void rows(env).to("out", csv("/out.csv", { op: true })), "/out.csv"),
        "op,id,v\n+I,0,x\n-U,1,x\n+U,2,x\n-D,3,x\n",
      );
      assert.equal(
        await written((env) => void rows(env).to("out", jsonl("/out.jsonl", { op: true, type: Row })), "/out.jsonl"),
        GIVEN.map(({ row }, kind) => `${JSON.stringify({ op: ["+I", "-U", "+U", "-D"][kind], ...row })}\n`).join(""),
      );
    }
  });

  test("is +I of rows that stand for themselves", async () => {
    const rows = (env: JobEnv) => env.from("in", changes(GIVEN.slice(0, 1), { kind: "append" }, Row));
    const text = await written((env) => void rows(env).to("out", csv("/out.csv", { op: true })), "/out.csv");
    assert.equal(text, "op,id,v\n+I,0,x\n");
  });

  test("changes nothing of what becomes of the file when the job fails", async () => {
    for (const op of [false, true]) {
      const failing = (env: JobEnv) => {
        env.from("in", changes(GIVEN.slice(0, 1), RETRACT, Row)).to("out", jsonl("/out.jsonl", { op: true }));
        env
          .from("rows", changes(GIVEN.slice(0, 1), { kind: "append" }, Row))
          .to("plain", jsonl("/plain.jsonl", { op }));
        env
          .from("bad", changes(GIVEN.slice(0, 1), { kind: "append" }, Row))
          .map(() => {
            throw new Error("no");
          })
          .to("none", print());
      };
      const { error, disk } = await simulateJob(job({ name: "op" }, failing), { seed: 1, parallelism: 1 });
      assert.notEqual(error, null);
      assert.deepEqual(
        disk.paths().filter((path) => path.endsWith(".tmp") || path.endsWith(".jsonl")),
        [],
      );
    }
  });

  test("names the column of a file without rows as well", async () => {
    const text = await written(
      (env) => void env.from("in", changes([], RETRACT, Row)).to("out", csv("/out.csv", { op: true })),
      "/out.csv",
    );
    assert.equal(text, "op,id,v\n");
  });

  test("is not left out where columns or types name the others alone", async () => {
    const rows = (env: JobEnv) => env.from("in", changes(GIVEN.slice(2), RETRACT, Row));
    for (const [options, expected] of [
      [{ columns: ["v"] }, "op,v\n+U,x\n-D,x\n"],
      [{ columns: ["v", "op"] }, "v,op\nx,+U\nx,-D\n"],
      [{ type: Row }, "op,id,v\n+U,2,x\n-D,3,x\n"],
    ] as const) {
      const text = await written(
        (env) => void rows(env).to("out", csv("/out.csv", { ...options, op: true })),
        "/out.csv",
      );
      assert.equal(text, expected);
    }
  });

  test("stands beside values that are no objects", async () => {
    const given: readonly Change<number>[] = [{ kind: 3, row: 7 }];
    const text = await written(
      (env) => void env.from("in", changes(given, RETRACT)).to("out", jsonl("/out.jsonl", { op: true })),
      "/out.jsonl",
    );
    assert.equal(text, '{"op":"-D","value":7}\n');
  });

  test("is all that is added: every other call goes to the writer as it is", async () => {
    const calls: string[] = [];
    const noted = (name: string) => async () => void calls.push(name);
    const writer = {
      open: noted("open"),
      write: () => false,
      flush: noted("flush"),
      prepareCommit: async () => ["all"],
      abort: noted("abort"),
      close: noted("close"),
    };
    const withKinds = withOp({ createWriter: (_: SinkWriterContext): SinkWriter<unknown> => writer }).createWriter({
      uid: "out",
    } as SinkWriterContext);
    assert.equal(withKinds.write({}, Number.NaN), false);
    await withKinds.open();
    await withKinds.flush();
    assert.deepEqual(await withKinds.prepareCommit(true), ["all"]);
    await withKinds.abort();
    await withKinds.close();
    assert.deepEqual(calls, ["open", "flush", "abort", "close"]);
  });

  test("never takes the place of a field of that name", async () => {
    const given: readonly Change<{ op: string }>[] = [{ kind: 0, row: { op: "mine" } }];
    for (const type of [t.struct({ op: t.string }), undefined]) {
      await assert.rejects(
        written((env) => void env.from("in", changes(given, RETRACT, type)).to("out", print({ op: true })), ""),
        { code: "OP_FIELD_TAKEN" },
      );
    }
  });

  test("is of no use to a source", async () => {
    await assert.rejects(
      written((env) => void env.from("in", csv("/in.csv", { op: true })).to("out", print()), ""),
      { code: "CONNECTOR_OPTION_INVALID" },
    );
  });
});
