import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { nodeDisk } from "./node-disk.ts";

/** A named pipe. */
function pipe(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-pipe-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  execFileSync("mkfifo", [join(directory, "pipe")]);
  return join(directory, "pipe");
}

async function readOn(path: string, signal: AbortSignal, onBytes = (_count: number): void => {}): Promise<string> {
  await using file = await nodeDisk().open(path, "read", signal);
  const into = Buffer.alloc(1_000);
  let text = "";
  for (let count = -1; count !== 0; text += into.toString("latin1", 10, 10 + count)) {
    count = await file.read(into, 10, 500, 0);
    onBytes(count);
  }
  return text;
}

describe("a named pipe", () => {
  test("is a stream, and read from its start to its end, in whatever pieces", async (context) => {
    const path = pipe(context);
    assert.deepEqual(await nodeDisk().stat(path), { size: 0, modifiedMs: 0, kind: "stream" });
    const content = Array.from({ length: 40_000 }, (_, index) => `${index}\n`).join("");
    const read = readOn(path, new AbortController().signal);
    const writer = createWriteStream(path);
    for (let at = 0; at < content.length; at += 70_000) writer.write(content.slice(at, at + 70_000));
    writer.end();
    assert.equal(await read, content);
  });

  test("that nobody writes to, or not on, is given up", async (context) => {
    const path = pipe(context);
    const waiting = new AbortController();
    const unopened = readOn(path, waiting.signal);
    waiting.abort();
    assert.equal(await unopened, "");
    const reading = new AbortController();
    const read = readOn(path, reading.signal, () => reading.abort());
    await using writer = await open(path, "w");
    await writer.write("begun");
    assert.equal(await read, "begun");
  });

  test("given up before it is opened holds nobody up", async (context) => {
    assert.equal(await readOn(pipe(context), AbortSignal.abort()), "");
  });
});

test("a device is a stream too", async () => {
  assert.equal(await readOn("/dev/null", new AbortController().signal), "");
});
