import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Disk } from "../../../base/disk.ts";
import { type WriterOptions, WriterUnderTest } from "../../../operators/sink.contract.ts";
import type { Sink } from "../../../operators/sink.ts";
import type { SimEnv } from "../../../testing/sim-env.ts";
import { simWorld, type World } from "../../../testing/world.ts";
import { jsonl } from "../json/jsonl.ts";
import { fileCommitter } from "./file-committer.ts";

/** A disk whose user is paused before its operation `at`, until `resume`. */
function pausing(disk: Disk, at: number): { disk: Disk; isPaused: () => boolean; resume: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  let isPaused = false;
  const gate = async (): Promise<void> => {
    count += 1;
    if (count !== at) return;
    isPaused = true;
    await promise;
  };
  const paused = new Proxy(disk, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => gate().then(() => Reflect.apply(member, target, args) as unknown);
    },
  });
  return { disk: paused, isPaused: () => isPaused, resume: resolve };
}

/** `isLive`: the first one wakes while this one is still at work. */
type Next = WriterOptions & { readonly isLive: boolean };

/** A run that is paused before its operation `at`; another takes over meanwhile, and it wakes when that is done. */
async function takenOver(sink: Sink<unknown>, at: number, { isLive, ...next }: Next): Promise<World<SimEnv> | null> {
  const world = simWorld(at);
  const pause = pausing(world.env.disk, at);
  const rows = Array.from({ length: 7 }, (_, n) => ({ n }));
  let isOver = false;
  const context = { ...world, env: { ...world.env, disk: pause.disk } };
  const writer = sink.createWriter(new WriterUnderTest(sink, context, {}).context);
  const first = (async () => {
    await writer.open();
    for (const row of rows) if (!writer.write(row, Number.NaN)) await writer.flush();
    await writer.flush();
    await fileCommitter(pause.disk).commit(await writer.prepareCommit(true));
  })()
    .catch(() => undefined)
    .finally(() => {
      isOver = true;
    });
  await world.env.runUntilIdle(() => isOver || pause.isPaused());
  if (isOver) return null;
  const other = new WriterUnderTest(sink, world, next);
  await other.open();
  await other.write([{ n: 100 }, { n: 101 }]);
  await other.flush();
  const wake = async (): Promise<void> => {
    pause.resume();
    await world.env.runUntilIdle(() => isOver);
    await first;
  };
  if (isLive) await wake();
  await other.finish();
  const shown = visible(world);
  assert.equal(shown.length, 1);
  assert.match(shown[0]![1], /^\{"n":100\}\n\{"n":101\}\n$/);
  if (!isLive) await wake();
  assert.deepEqual(visible(world), shown, `paused before operation ${at}`);
  return world;
}

function visible({ env }: World<SimEnv>): [path: string, text: string][] {
  const paths = env.disk.paths().filter((path) => !path.includes("/."));
  return paths.map((path) => [path, new TextDecoder().decode(env.disk.get(path)!)]);
}

describe("a writer that was paused while another took over", () => {
  // One that has not looked into the directory yet may be a later run for all that it can tell: there the lock decides.
  for (const [name, next, looked] of [
    ["the next attempt of its job", { attempt: 1 }, { parts: 0, file: 0 }],
    ["another run", { jobId: "job-2" }, { parts: 3, file: 4 }],
  ] as const) {
    test(`changes nothing of what ${name} has committed, wherever it stood`, async () => {
      for (const [sink, operations] of [
        [jsonl("/out", { roll: { rows: 3 } }), looked.parts],
        [jsonl("/out.jsonl"), looked.file],
      ] as const) {
        for (const isLive of [false, true]) {
          let paused = 0;
          for (let at = operations + 1; (await takenOver(sink, at, { ...next, isLive })) !== null; at += 1) paused += 1;
          assert.ok(paused > 10, `${paused}`);
        }
      }
    });
  }
});

describe("a writer of the past", () => {
  const sinks = [jsonl("/out"), jsonl("/out.jsonl")] as const;
  const restored = { restored: true, uncommitted: [] } as const;

  test("that has its file still open writes into nothing that a later one goes on with", async () => {
    for (const sink of sinks) {
      for (const next of [{ attempt: 1 }, { jobId: "job-2" }]) {
        const world = simWorld(1);
        const past = new WriterUnderTest(sink, world);
        await past.open();
        await past.write([{ n: 1 }]);
        const { states } = await past.checkpoint();
        const later = new WriterUnderTest(sink, world, { ...restored, ...next, states });
        await later.open();
        await past.write([{ n: 66 }]);
        await past.flush();
        await later.write([{ n: 2 }]);
        await later.finish();
        const shown = visible(world);
        assert.deepEqual(
          shown.map(([, text]) => text),
          ['{"n":1}\n{"n":2}\n'],
        );
        await past.write([{ n: 77 }]);
        await past.finish().catch(() => undefined);
        assert.deepEqual(visible(world), shown);
      }
    }
  });

  test("that was paused anywhere while it took over does no harm to the one that took over after it", async () => {
    for (const sink of sinks) {
      for (let at = 1, isOver = false; !isOver; at += 1) {
        const world = simWorld(at);
        const first = new WriterUnderTest(sink, world);
        await first.open();
        await first.write([{ n: 1 }]);
        const { states } = await first.checkpoint();
        const pause = pausing(world.env.disk, at);
        const context = { ...world, env: { ...world.env, disk: pause.disk } };
        const past = sink.createWriter(new WriterUnderTest(sink, context, { ...restored, attempt: 1, states }).context);
        const opened = past.open().then(
          () => {
            isOver ||= !pause.isPaused();
          },
          () => undefined,
        );
        await world.env.runUntilIdle(() => isOver || pause.isPaused());
        const later = new WriterUnderTest(sink, world, { ...restored, attempt: 2, states });
        await later.open();
        await later.write([{ n: 2 }]);
        const held = await later.checkpoint();
        pause.resume();
        await world.env.runUntilIdle(() => false);
        await opened;
        const last = new WriterUnderTest(sink, world, { ...restored, attempt: 3, ...held });
        await last.open();
        await last.finish();
        assert.deepEqual(
          visible(world).map(([, text]) => text),
          ['{"n":1}\n{"n":2}\n'],
          `paused before operation ${at}`,
        );
      }
    }
  });
});
