import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { nodeDisk } from "../../storage/node-disk.ts";
import { SimEnv } from "../../testing/sim-env.ts";
import { checkpointStorageContract, objectPut, objectText } from "./checkpoint-storage.contract.ts";
import { DirectoryStorage } from "./directory-storage.ts";

checkpointStorageContract("a directory", async () => {
  const root = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
  const disk = nodeDisk();
  return {
    storage: new DirectoryStorage(disk, `${root}/checkpoints`),
    again: async () => new DirectoryStorage(disk, `${root}/checkpoints`),
    close: async () => rmSync(root, { recursive: true }),
  };
});

const NAMES = ["chk-1/a", "chk-1/b", "chk-2/a"];
const TEXT = "0123456789".repeat(20);

/** What a process does until its machine dies, and how far it was told that it came. */
async function work(storage: DirectoryStorage, told: Told): Promise<void> {
  for (const name of NAMES) {
    await objectPut(storage, name, TEXT, TEXT);
    told.objects.push(name);
    assert.ok(await storage.swap("latest", told.pointer, name));
    told.pointer = name;
  }
}

async function simulate<T>(env: SimEnv, body: () => Promise<T>): Promise<T> {
  let over = false;
  const result = body().finally(() => {
    over = true;
  });
  result.catch(() => undefined); // Reported below, once the events are through.
  await env.runUntilIdle(() => over);
  return result;
}

type Told = { objects: string[]; pointer: string | null };

/** What another process finds: nothing that was told is lost, and nothing is there by halves. */
async function found(env: SimEnv, before: Told): Promise<"told" | "further"> {
  const storage = new DirectoryStorage(env.disk, "/checkpoints");
  await storage.sweep();
  const names = (await storage.list("")).filter((name) => name !== "latest");
  for (const name of before.objects) assert.ok(names.includes(name), `${name} is lost`);
  for (const name of names) assert.equal(await objectText(storage, name), TEXT + TEXT, name);
  for (const entry of await env.disk.list("/checkpoints/chk-1").catch(() => [])) assert.ok(!entry.startsWith("."));
  const pointer = await storage.pointer("latest");
  if (pointer === before.pointer) return "told";
  assert.equal(pointer, NAMES[before.pointer === null ? 0 : NAMES.indexOf(before.pointer) + 1]);
  return "further";
}

describe("a directory with checkpoints whose machine dies", () => {
  test("holds what was committed and the pointer that was set, and nothing by halves (O1, O2)", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 300; seed += 1) {
      const env = new SimEnv({ seed });
      env.disk.faults.shortReads = true;
      const told: Told = { objects: [], pointer: null };
      const working = work(new DirectoryStorage(env.disk, "/checkpoints"), told);
      working.catch(() => undefined); // Its disk dies under it.
      await env.advance(env.random.next() * 40);
      const before = { objects: [...told.objects], pointer: told.pointer };
      env.disk.crash("power");
      const how = await simulate(env, () => found(env, before)).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
      seen.add(`${before.objects.length} objects, ${how}`);
      assert.equal(env.disk.openHandles, 0);
    }
    for (const count of [0, 1, 2, 3]) assert.ok(seen.has(`${count} objects, told`), [...seen].join("; "));
    assert.ok(
      [...seen].some((each) => each.endsWith("further")),
      "a crash between a pointer and its answer",
    );
  });
});
