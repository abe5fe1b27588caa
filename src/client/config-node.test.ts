import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { configFileLayer } from "./config-node.ts";

describe("configuration files", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "config-test-")));
  after(() => rmSync(root, { recursive: true, force: true }));
  let folders = 0;

  /** A fresh folder with these files. */
  function folder(files: Readonly<Record<string, string>>): string {
    folders += 1;
    const path = join(root, String(folders));
    mkdirSync(join(path, "below/further"), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    return path;
  }
  const VALUES = { "parallelism.default": 3 };

  test("each kind of file is read", async () => {
    const files = {
      "millrace.config.ts": `import { type ConfigValues, defineConfig } from "millrace";
        const values: ConfigValues = { "parallelism.default": 3 }; export default defineConfig(values);`,
      "millrace.config.mjs": 'export default { "parallelism.default": 3 };',
      "millrace.config.js": 'export default { "parallelism.default": 3 };',
      "millrace.config.json": '{ "parallelism.default": 3 }',
    };
    for (const [name, text] of Object.entries(files)) {
      assert.deepEqual(await configFileLayer(folder({ [name]: text }), null), {
        origin: { kind: "file", path: name },
        values: VALUES,
      });
    }
  });

  test("the nearest file upwards counts", async () => {
    const path = folder({ "millrace.config.json": '{ "parallelism.default": 3 }' });
    const layer = await configFileLayer(join(path, "below/further"), null);
    assert.deepEqual(layer, { origin: { kind: "file", path: "../../millrace.config.json" }, values: VALUES });
    writeFileSync(join(path, "below/millrace.config.json"), "{}");
    assert.deepEqual((await configFileLayer(join(path, "below/further"), null))?.values, {});
  });

  test("a file that is named is read instead, and must be there", async () => {
    const path = folder({ "millrace.config.json": "{}", "other.json": '{ "parallelism.default": 3 }' });
    assert.deepEqual((await configFileLayer(path, "other.json"))?.values, VALUES);
    await assert.rejects(configFileLayer(path, "none.json"), { code: "CONFIG_FILE_UNREADABLE" });
    await assert.rejects(configFileLayer(path, "none.ts"), { code: "MODULE_FILE_MISSING" });
  });

  test("two files in one folder are refused: nobody could tell which counts", async () => {
    const path = folder({ "millrace.config.json": "{}", "millrace.config.ts": "export default {};" });
    await assert.rejects(configFileLayer(path, null), {
      code: "CONFIG_FILE_AMBIGUOUS",
      message: /millrace\.config\.json, millrace\.config\.ts/,
    });
  });

  test("what is wrong in JSON is told with its column, counted from the start of its line", async () => {
    for (const [text, line, column] of [
      ['{ "a": 1, }', 1, 11],
      ['{\n  "a": 1,\n  }', 3, 3],
      ['{\n  "a": ', 2, 8],
    ] as const) {
      await assert.rejects(configFileLayer(folder({ "millrace.config.json": text }), null), {
        code: "CONFIG_NOT_JSON",
        location: { file: "millrace.config.json", line, column },
      });
    }
  });

  test("what is wrong in a file is told at its place", async () => {
    const cases = [
      ["millrace.config.json", '{\n  "a": 1,\n}', "CONFIG_NOT_JSON", 3],
      ["millrace.config.json", '{\n  "a": ', "CONFIG_NOT_JSON", 2],
      ["millrace.config.ts", "export default {\n  a: 1;\n};", "MODULE_DOES_NOT_PARSE", 2],
      ["millrace.config.ts", "const a: number = 1;\nnull.x;\nexport default a;", "MODULE_THREW", 2],
      ["millrace.config.ts", "export const values = {};", "CONFIG_NOT_EXPORTED", 1],
      [
        "millrace.config.json",
        '{\n  "parallelism.default": 1,\n  "parallelism.defualt": 1\n}',
        "CONFIG_UNKNOWN_KEY",
        3,
      ],
      ["millrace.config.json", '{ "parallelism": {\n  "default": "many" } }', "CONFIG_BAD_VALUE", 2],
      ["millrace.config.ts", "export default {\n  parallelism: {\n    defualt: 1 } };", "CONFIG_UNKNOWN_KEY", 3],
      [
        "millrace.config.ts",
        'export default {\n  "parallelism.default": 1,\n  parallelism: { default: 2 } };',
        "CONFIG_DUPLICATE_KEY",
        2,
      ],
    ] as const;
    for (const [file, text, code, line] of cases) {
      await assert.rejects(
        configFileLayer(folder({ [file]: text }), null),
        (error: { code: string; location: { file: string; line: number } }) => {
          assert.deepEqual([error.code, error.location.file, error.location.line], [code, file, line], text);
          return true;
        },
      );
    }
  });
});
