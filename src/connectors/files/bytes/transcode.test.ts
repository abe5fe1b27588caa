import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readAll } from "../../../operators/source.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { type CsvOptions, csv } from "../csv/csv.ts";
import { jsonl } from "../json/jsonl.ts";
import { encodingOf } from "./transcode.ts";

const bigEndian = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

async function read(bytes: Buffer, options: CsvOptions, how = {}) {
  const world = simWorld(1);
  world.env.disk.put("/f", bytes);
  return await readAll<unknown>(csv("/f", options), world, how);
}

describe("files in other encodings", () => {
  const text = "name,price\nCafé,1\nnaïve,2\n";
  const expected = [
    { name: "Café", price: "1" },
    { name: "naïve", price: "2" },
  ];

  test("are read by the name of their encoding, with and without a byte order mark", async () => {
    for (const [encoding, bytes] of [
      ["latin1", Buffer.from(text, "latin1")],
      ["windows-1252", Buffer.from(text, "latin1")],
      ["utf-16", Buffer.from(text, "utf16le")],
      ["utf-16", Buffer.from(`\ufeff${text}`, "utf16le")],
      ["utf-16", bigEndian(`\ufeff${text}`)],
      ["utf-16be", bigEndian(text)],
      ["utf-8", Buffer.from(`\ufeff${text}`)],
      ["UTF8", Buffer.from(text)],
    ] as const) {
      for (const readSize of [1, 3, "256kb"]) {
        assert.deepEqual((await read(bytes, { encoding, readSize })).records, expected, `${encoding} ${readSize}`);
      }
    }
    const euro = await read(Buffer.from([0x61, 0x0a, 0x80, 0x0a]), { encoding: "windows-1252" });
    assert.deepEqual(euro.records, [{ a: "€" }]);
  });

  test("are read whole, each record once, whatever is cut, read and restored", async () => {
    const rows = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 });
    const property = fc.asyncProperty(
      rows,
      fc.constantFrom("utf-16le", "utf-16be"),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 5 }),
      async (texts, encoding, readSize, restartAfter) => {
        const lines = texts.map((v) => `${JSON.stringify({ v })}\n`).join("");
        const world = simWorld(1);
        world.env.disk.put("/f", encoding === "utf-16be" ? bigEndian(lines) : Buffer.from(lines, "utf16le"));
        const source = jsonl("/f", { encoding, readSize });
        const { records } = await readAll<unknown>(source, world, { parallelism: 3, restartAfter });
        assert.deepEqual(
          records,
          texts.map((v) => ({ v })),
        );
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  test("that are not in the encoding that was named fail with the file", async () => {
    const odd = Buffer.from([...Buffer.from("a\n", "utf16le"), 0x00, 0xd8]); // Half a letter.
    await assert.rejects(read(odd, { encoding: "utf-16le" }), {
      code: "ENCODING_INVALID",
      message: /\/f is not valid utf-16le/,
    });
    await assert.rejects(read(Buffer.from([0x61]), { encoding: "utf-16le" }), { code: "ENCODING_INVALID" });
  });

  test("an encoding that nobody knows is refused when the job is built, and UTF-16 that nobody named when it is read", async () => {
    assert.equal(encodingOf("utf-7"), undefined);
    assert.throws(() => csv("/f", { encoding: "utf-7" }), {
      code: "CONNECTOR_OPTION_INVALID",
      message: /encoding: "utf-7"/,
    });
    await assert.rejects(read(Buffer.from("\ufeffa\n", "utf16le"), {}), {
      code: "ENCODING_UNSUPPORTED",
      fix: /utf-16/,
    });
  });
});
