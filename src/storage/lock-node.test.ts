import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { lockTry } from "./lock-node.ts";

/** The path of a lock in a directory of its own. */
function lockPath(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-lock-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, ".lock");
}

const filesOf = (path: string): string[] => readdirSync(join(path, "..")).map((name) => join(path, "..", name));

const PROGRAM = `
  import { lockTry } from ${JSON.stringify(new URL("./lock-node.ts", import.meta.url).href)};
  process.stdin.once("data", async () => {
    const attempt = await lockTry(process.argv[1], "process " + process.pid);
    console.log(attempt.kind === "locked" ? "locked" : attempt.by.holder);
    setInterval(() => undefined, 1_000);
  });
  console.log("ready");`;

/** A process that takes the lock when it is told to, and keeps it. */
async function holder(
  context: TestContext,
  path: string,
): Promise<{ child: ChildProcess; take: () => Promise<string> }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  const take = async (): Promise<string> => {
    child.stdin!.write("go\n");
    const [text] = (await once(child.stdout!, "data")) as [Buffer];
    return text.toString().trim();
  };
  return { child, take };
}

describe("a lock between processes", () => {
  test("names its holder while that lives, paused or not, and is free once it was killed", async (context) => {
    const path = lockPath(context);
    const { child, take } = await holder(context, path);
    assert.equal(await take(), "locked");
    for (const signal of ["SIGSTOP", "SIGCONT"] as const) {
      process.kill(child.pid!, signal);
      const refused = await lockTry(path, "second");
      assert.ok(refused.kind === "held");
      const { since, ...by } = refused.by;
      const expected = {
        holder: `process ${child.pid}`,
        host: hostname(),
        pid: child.pid,
        file: filesOf(path)[0],
        isCertain: true,
      };
      assert.deepEqual(by, expected);
      assert.match(since, /^\d{4}-\d\d-\d\dT/);
    }
    child.kill("SIGKILL");
    await once(child, "exit");
    const attempt = await lockTry(path, "second");
    assert.ok(attempt.kind === "locked");
    assert.equal(filesOf(path).length, 1, "what the killed one left is gone");
    await attempt.release();
    assert.deepEqual(filesOf(path), []);
  });

  test("goes to one of several that begin at once, also when a killed one held it", async (context) => {
    const path = lockPath(context);
    const first = await holder(context, path);
    await first.take();
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    const holders = await Promise.all(Array.from({ length: 4 }, () => holder(context, path)));
    const answers = await Promise.all(holders.map(({ take }) => take()));
    const winner = answers.indexOf("locked");
    assert.notEqual(winner, -1, answers.join());
    assert.equal(answers.lastIndexOf("locked"), winner, answers.join());
    assert.equal(filesOf(path).length, 1);
  });

  test("is not taken from a process that cannot be seen from here, nor for one that has its number by chance", async (context) => {
    const path = lockPath(context);
    const own = await lockTry(path, "first");
    assert.ok(own.kind === "locked");
    const content = JSON.parse(readFileSync(filesOf(path)[0]!, "utf8")) as Record<string, unknown>;
    await own.release();
    const left = `${path}.1-abc`;
    const answer = async (change: Record<string, unknown>): Promise<string> => {
      writeFileSync(left, JSON.stringify({ ...content, ...change }));
      const attempt = await lockTry(path, "second");
      if (attempt.kind === "locked") await attempt.release();
      return attempt.kind === "locked" ? "locked" : `held, ${attempt.by.isCertain ? "certain" : "perhaps"}`;
    };
    assert.equal(await answer({}), "held, certain");
    rmSync(left);
    assert.equal(await answer({ machine: "another", boot: "another", host: "another" }), "held, perhaps");
    rmSync(left);
    if (content.start === null) return context.skip("this system does not tell processes of the same number apart");
    assert.equal(await answer({ namespace: "pid:[1]", pid: 1 }), "held, perhaps");
    rmSync(left);
    assert.equal(await answer({ start: "1" }), "locked");
    assert.equal(await answer({ machine: null, boot: "another" }), "held, perhaps");
    rmSync(left);
    writeFileSync(left, "");
    assert.equal((await lockTry(path, "second")).kind, "locked", "a file without content is nobody's");
  });

  test("is free when the machine has started again since, and nobody has its holder's number", async (context) => {
    const path = lockPath(context);
    const own = await lockTry(path, "first");
    assert.ok(own.kind === "locked");
    const content = JSON.parse(readFileSync(filesOf(path)[0]!, "utf8")) as Record<string, unknown>;
    await own.release();
    if (content.machine === null) return context.skip("this system does not tell machines apart");
    writeFileSync(`${path}.1-abc`, JSON.stringify({ ...content, boot: "an earlier one" }));
    const attempt = await lockTry(path, "second");
    assert.equal(attempt.kind, "locked");
    assert.equal(filesOf(path).length, 1);
  });

  test("is free once its holder was killed, also while nobody has asked what became of it", async (context) => {
    const path = lockPath(context);
    const program = `
      import { lockTry } from ${JSON.stringify(new URL("./lock-node.ts", import.meta.url).href)};
      console.log((await lockTry(process.argv[1], "child")).kind, process.pid);
      setInterval(() => undefined, 1_000);`;
    // The shell becomes a program that never asks.
    const parent = spawn(
      "sh",
      ["-c", '"$0" --input-type=module -e "$1" "$2" & exec sleep 600', process.execPath, program, path],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    context.after(() => parent.kill("SIGKILL"));
    const [text] = (await once(parent.stdout!, "data")) as [Buffer];
    const [kind, pid] = text.toString().trim().split(" ");
    assert.equal(kind, "locked");
    process.kill(Number(pid), "SIGKILL");
    // Until the signal has arrived.
    while (existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8")))
      await new Promise(setImmediate);
    assert.equal((await lockTry(path, "second")).kind, "locked");
  });

  test("is held by who has made a file and is about to write it", async (context) => {
    const path = lockPath(context);
    const own = await lockTry(path, "first");
    assert.ok(own.kind === "locked");
    const [file = ""] = filesOf(path);
    const content = readFileSync(file, "utf8");
    writeFileSync(file, "");
    const refused = await lockTry(path, "second", async () => writeFileSync(file, content));
    assert.ok(refused.kind === "held");
    assert.equal(refused.by.holder, "first");
    assert.deepEqual(filesOf(path), [file]);
  });

  test("is held by whoever made a file that cannot be read, and says which one that is", async (context) => {
    const path = lockPath(context);
    const left = `${path}.1-abc`;
    mkdirSync(left); // Nobody can read it as a file, not even the superuser.
    const refused = await lockTry(path, "second");
    assert.ok(refused.kind === "held");
    assert.deepEqual(refused.by, { holder: "?", host: "?", pid: 0, since: "?", file: left, isCertain: false });
    assert.deepEqual(filesOf(path), [left]);
  });

  test("is held by whoever wrote something else than a lock into its file", async (context) => {
    const path = lockPath(context);
    for (const content of ["null", "5", '"gone"']) {
      writeFileSync(`${path}.1-abc`, content);
      const refused = await lockTry(path, "second");
      assert.ok(refused.kind === "held" && !refused.by.isCertain, content);
      assert.equal(refused.by.file, `${path}.1-abc`);
    }
  });

  test("does not write down what tells the machine from all others", async (context) => {
    const path = lockPath(context);
    const own = await lockTry(path, "first");
    assert.ok(own.kind === "locked");
    const content = readFileSync(filesOf(path)[0]!, "utf8");
    await own.release();
    const told = ["/etc/machine-id", "/proc/sys/kernel/random/boot_id"].filter((file) => existsSync(file));
    const numbers = told.map((file) => readFileSync(file, "utf8").trim()).filter((text) => text !== "");
    if (numbers.length === 0) return context.skip("this system has no such numbers");
    for (const number of numbers) assert.ok(!content.includes(number), content);
  });
});
