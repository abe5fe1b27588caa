import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { temporaryStorage } from "../storage/checkpoint-storage.contract.ts";
import { type Section, StateFileReader, StateFileWriter } from "./state-file.ts";

const KIB = 1024;

type Written = {
  readonly path: string;
  readonly sections: readonly Section[];
  read(section: Section): Promise<Buffer>;
};

async function written(context: TestContext, parts: readonly Buffer[], compression = false): Promise<Written> {
  const { storage, root } = temporaryStorage(context);
  const writer = await StateFileWriter.create(storage, "chk-1/0-0-0", { compression });
  const sections: Section[] = [];
  for (const part of parts) sections.push(await writer.add(part));
  await writer.commit();
  return {
    path: join(root, "chk-1/0-0-0"),
    sections,
    async read(section) {
      const reader = await StateFileReader.open(storage, section.file);
      try {
        return await reader.read(section);
      } finally {
        await reader.close();
      }
    },
  };
}

describe("a file of state", () => {
  for (const compression of [false, true]) {
    test(`gives back each section, ${compression ? "compressed where that is shorter" : "as it is"}`, async (context) => {
      const parts = [
        Buffer.from("a few bytes"),
        Buffer.alloc(0),
        randomBytes(256 * KIB),
        Buffer.alloc(700 * KIB, "again and again "),
        randomBytes(256 * KIB + 1),
      ];
      const { sections, read, path } = await written(context, parts, compression);
      for (const [index, part] of parts.entries()) assert.deepEqual(await read(sections[index]!), part);
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      const { length } = readFileSync(path);
      assert.ok(compression ? length < bytes - 600 * KIB : length >= bytes && length < bytes + 200, `${length}`);
      assert.equal(length, sections.at(-1)!.offset + sections.at(-1)!.length);
    });

    test(`finds each byte that changed, and each end that is missing${compression ? ", compressed" : ""}`, async (context) => {
      const { sections, read, path } = await written(
        context,
        [Buffer.from("x".repeat(40)), Buffer.from("y")],
        compression,
      );
      const whole = readFileSync(path);
      const readAll = async (): Promise<void> => {
        for (const section of sections) await read(section);
      };
      const isDamaged = { code: "CHECKPOINT_OBJECT_DAMAGED", message: /chk-1\/0-0-0 is damaged/ };
      for (const [at, byte] of whole.entries()) {
        for (const bit of [1, 16, 128]) {
          const flipped = Buffer.from(whole);
          flipped[at] = byte ^ bit;
          writeFileSync(path, flipped);
          await assert.rejects(readAll, isDamaged, `byte ${at}`);
        }
        writeFileSync(path, whole.subarray(0, at));
        await assert.rejects(readAll, isDamaged, `cut at ${at}`);
      }
      writeFileSync(path, whole);
      await readAll();
    });
  }

  test("leaves nothing when it is given up", async (context) => {
    const { storage } = temporaryStorage(context);
    const writer = await StateFileWriter.create(storage, "chk-1/0-0-0");
    await writer.add(Buffer.from("x"));
    await writer.abort();
    assert.deepEqual(await storage.list(""), []);
  });
});
