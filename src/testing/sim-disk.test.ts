import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Disk } from "../base/disk.ts";
import { diskContract, readText, rejectsWith } from "../storage/disk.contract.ts";
import { SimEnv } from "./sim-env.ts";

/** Runs the environment's events for as long as `body` lasts, whatever it waits for. */
async function simulate<T>(env: SimEnv, body: () => Promise<T>): Promise<T> {
  let over = false;
  const result = body().finally(() => {
    over = true;
  });
  result.catch(() => {}); // Reported below, once the events are through.
  await env.runUntilIdle(() => over);
  return result;
}

diskContract("simulated", async () => {
  const env = new SimEnv({ seed: 1 });
  env.disk.faults.shortReads = true;
  await simulate(env, () => env.disk.makeDirectory("/root"));
  // The suite knows nothing of virtual time: it runs while the suite waits.
  const disk = new Proxy<Disk>(env.disk, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => handleOf(env, await simulate(env, () => member.apply(target, args)));
    },
  });
  return { disk, root: "/root", close: async () => assert.equal(env.disk.openHandles, 0, "every handle is closed") };
});

function handleOf(env: SimEnv, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("append" in value)) return value;
  return new Proxy(value, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function"
        ? (...args: unknown[]) => simulate(env, () => member.apply(target, args))
        : member;
    },
  });
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("crashes of the simulated disk", () => {
  test("synced bytes in a synced directory survive every crash; the rest is lost, kept or torn", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 200; seed += 1) {
      const env = new SimEnv({ seed });
      await simulate(env, async () => {
        await env.disk.makeDirectory("/d");
        const file = await env.disk.open("/d/f", "create");
        await file.append(bytesOf("safe"));
        await file.sync();
        await env.disk.syncDirectory("/d");
        await file.append(bytesOf("risk"));
      });
      env.disk.crash();
      const text = new TextDecoder().decode(env.disk.get("/d/f") ?? new Uint8Array(0));
      assert.ok(text.startsWith("safe") && text.length <= 8, `SEED=${seed} ${text}`);
      seen.add(text);
    }
    assert.ok(seen.has("safe") && seen.has("saferisk"), [...seen].join());
    assert.ok(seen.has("saferi") && seen.has("safer\0"), [...seen].join());
  });

  test("a rename without a sync of its directory leaves the old or the new name, never neither", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 50; seed += 1) {
      const env = new SimEnv({ seed });
      env.disk.put("/d/old", "content");
      await simulate(env, () => env.disk.rename("/d/old", "/d/new"));
      env.disk.crash();
      seen.add(env.disk.paths().join());
    }
    assert.deepEqual([...seen].sort(), ["/d/new", "/d/old"]);
  });

  test("a crash of the process alone keeps what was written and kills its handles", async () => {
    const env = new SimEnv({ seed: 1 });
    const file = await simulate(env, () => env.disk.open("/f", "create"));
    await simulate(env, () => file.append(bytesOf("kept")));
    env.disk.crash("process");
    await rejectsWith("DISK_IO", "/f", () => simulate(env, () => file.append(bytesOf("x"))));
    assert.equal(await simulate(env, () => readText(env.disk, "/f")), "kept");
  });

  test("after a failed sync a later one succeeds and does not bring the bytes back", async () => {
    const env = new SimEnv({ seed: 3 });
    const file = await simulate(env, () => env.disk.open("/f", "create"));
    await simulate(env, () => env.disk.syncDirectory("/"));
    await simulate(env, () => file.append(bytesOf("0123456789")));
    env.disk.faults.fail = (operation) => (operation === "sync" ? "DISK_IO" : null);
    await rejectsWith("DISK_IO", "/f", () => simulate(env, () => file.sync()));
    env.disk.faults.fail = () => null;
    await simulate(env, () => file.sync());
    env.disk.crash();
    assert.notEqual(new TextDecoder().decode(env.disk.get("/f") ?? undefined), "0123456789");
  });
});

describe("faults of the simulated disk", () => {
  test("a full disk takes what fits and fails; removing a file makes room", async () => {
    const env = new SimEnv({ seed: 1 });
    env.disk.put("/old", "12345");
    env.disk.faults.capacityBytes = 8;
    const file = await simulate(env, () => env.disk.open("/f", "create"));
    await rejectsWith("DISK_FULL", "/f", () => simulate(env, () => file.append(bytesOf("abcdef"))));
    assert.equal(env.disk.get("/f")?.length, 3);
    await simulate(env, () => env.disk.remove("/old"));
    await simulate(env, () => file.append(bytesOf("defgh")));
    assert.equal(env.disk.get("/f")?.length, 8);
  });

  test("a read-only disk refuses every change and can be read", async () => {
    const env = new SimEnv({ seed: 1 });
    env.disk.put("/f", "kept");
    env.disk.faults.readOnly = true;
    await rejectsWith("DISK_READ_ONLY", "/g", () => simulate(env, () => env.disk.open("/g", "create")));
    await rejectsWith("DISK_READ_ONLY", "/f", () => simulate(env, () => env.disk.remove("/f")));
    assert.equal(await simulate(env, () => readText(env.disk, "/f")), "kept");
  });

  test("what is wiped is gone for good, with its room, whatever was not durable", async () => {
    const env = new SimEnv({ seed: 1 });
    env.disk.put("/job/chk-1/_metadata", "12345");
    env.disk.put("/other", "123");
    await simulate(env, () => env.disk.rename("/job/chk-1/_metadata", "/job/latest"));
    env.disk.wipe("/job");
    assert.deepEqual([env.disk.paths(), env.disk.usedBytes], [["/other"], 3]);
    env.disk.crash();
    assert.deepEqual([env.disk.paths(), env.disk.usedBytes], [["/other"], 3]);
  });
});
