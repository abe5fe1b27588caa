import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../base/errors.ts";
import { bundleImport, jobLoad } from "../../taskmanager/runner/job-load-node.ts";
import { type Bundle, moduleBundle } from "./bundle-node.ts";

describe("bundles", () => {
  const cwd = mkdtempSync(join(tmpdir(), "bundle-test-"));
  after(() => rmSync(cwd, { recursive: true, force: true }));
  const open: Bundle[] = [];
  afterEach(() => {
    for (const made of open.splice(0)) made.dispose();
  });

  async function bundle(files: Readonly<Record<string, string>>, entry = Object.keys(files)[0] ?? ""): Promise<Bundle> {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), text);
    }
    const made = await moduleBundle(entry, { cwd, what: "job file" });
    open.push(made);
    return made;
  }

  /** `code file:line:column` of each error. */
  async function failures(files: Readonly<Record<string, string>>): Promise<string[]> {
    const error: unknown = await bundle(files).then(
      () => assert.fail("it bundles"),
      (thrown: unknown) => thrown,
    );
    return (error instanceof AggregateError ? error.errors : [error]).map((one: unknown) => {
      assert.ok(one instanceof EngineError);
      const at = one.location;
      return at === undefined ? one.code : `${one.code} ${at.file}:${at.line}:${at.column}`;
    });
  }

  test("what is imported travels along, but for the engine and Node itself", async () => {
    const made = await bundle({
      "whole.ts": `import { job } from "millrace"; import { sep } from "node:path"; import { two } from "./lib/two.ts";
        import settings from "./settings.json"; export default { isEngine: typeof job === "function", sep, two, settings };`,
      "lib/two.ts": "export const two: number = 2;",
      "settings.json": '{ "a": 1 }',
    });
    rmSync(join(cwd, "lib"), { recursive: true });
    const { default: value } = await bundleImport(made.url);
    assert.deepEqual(value, { isEngine: true, sep: "/", two: 2, settings: { a: 1 } });
  });

  test("the engine in a job is the engine that loads it", async () => {
    const made = await bundle({
      "same.ts": 'import { job } from "millrace"; export default job({ name: "same" }, () => {});',
    });
    assert.equal((await jobLoad(made.url)).name, "same"); // `jobLoad` knows jobs of its own engine only.
  });

  test("equal sources give equal bundles, other sources others", async () => {
    const text = "export default 1;";
    const [first, second] = [await bundle({ "equal.ts": text }), await bundle({ "equal.ts": text })];
    assert.equal(first.sha256, second.sha256);
    assert.notEqual(first.url, second.url);
    assert.notEqual((await bundle({ "equal.ts": "export default 2;" })).sha256, first.sha256);
  });

  test("import.meta is that of the job's own file", async () => {
    const made = await bundle({
      "meta.ts": "export default [import.meta.filename, import.meta.dirname, import.meta.url];",
    });
    const { default: value } = await bundleImport(made.url);
    const [filename, directory, url] = value as string[];
    assert.deepEqual([filename, directory], [join(cwd, "meta.ts"), cwd]);
    assert.equal(new URL("./data.csv", url).pathname, join(cwd, "data.csv"));
  });

  test("packages in CommonJS can require Node's modules", async () => {
    const made = await bundle({
      "cjs.ts": 'import sep from "./old.cjs"; const require = "a name like any other"; export default [sep, require];',
      "old.cjs": 'module.exports = require("path").sep;',
    });
    assert.deepEqual((await bundleImport(made.url)).default, ["/", "a name like any other"]);
  });

  test("packages in CommonJS know their place, wherever job and packages lie together", async () => {
    const files = (folder: string) => ({
      [`${folder}/place.ts`]:
        'import a from "asks"; import b from "own"; import c from "esm"; export default [a, b, c];',
      [`${folder}/node_modules/asks/index.js`]: `#!/usr/bin/env node\n// A license.\n"use strict";
        const fs = require("fs");
        module.exports = [__filename, fs.readFileSync(__dirname + "/data.txt", "utf8"), (() => this === undefined)(),
          (function () { return this === undefined; })()];`,
      [`${folder}/node_modules/asks/data.txt`]: "data",
      [`${folder}/node_modules/own/index.js`]: 'const __dirname = "its own"; module.exports = __dirname;',
      [`${folder}/node_modules/esm/package.json`]: '{ "type": "module" }',
      [`${folder}/node_modules/esm/index.js`]: `import { dirname } from "node:path";
        const __dirname = dirname("/a/b"); export default __dirname;`,
    });
    const made = await bundle(files("here"));
    const { default: value } = await bundleImport(made.url);
    const asks = [join(cwd, "here/node_modules/asks/index.js"), "data", false, true];
    assert.deepEqual(value, [asks, "its own", "/a"]);
    mkdirSync(join(cwd, "there"));
    renameSync(join(cwd, "here"), join(cwd, "there/here"));
    const moved = await moduleBundle("here/place.ts", { cwd: join(cwd, "there"), what: "job file" });
    open.push(moved);
    assert.equal(moved.sha256, made.sha256);
    assert.deepEqual(
      ((await bundleImport(moved.url)).default as string[][])[0]?.[0],
      join(cwd, "there/here/node_modules/asks/index.js"),
    );
  });

  test("a bundle lies in a directory of its own with its map, and leaves nothing behind", async () => {
    const made = await bundle({ "gone.ts": "export default 1;" });
    const directory = dirname(fileURLToPath(made.url));
    assert.deepEqual(readdirSync(directory).sort(), [`${made.sha256}.mjs`, `${made.sha256}.mjs.map`]);
    made.dispose();
    assert.equal(existsSync(directory), false);
    made.dispose(); // Twice does no harm.
  });

  test("every error of the sources is told at its place", async () => {
    assert.deepEqual(await failures({ "a.ts": "const äöü = 1;\nlet é = ;" }), ["MODULE_DOES_NOT_PARSE a.ts:2:9"]);
    assert.deepEqual(await failures({ "b.ts": 'import "./c.ts";', "c.ts": "}" }), ["MODULE_DOES_NOT_PARSE c.ts:1:1"]);
    assert.deepEqual(await failures({ "d.ts": 'import "./no.ts";\nimport "no-such-package";' }), [
      "MODULE_IMPORT_UNRESOLVED d.ts:1:8",
      "MODULE_IMPORT_UNRESOLVED d.ts:2:8",
    ]);
    assert.deepEqual(await failures({ "e.ts": 'import "millrace/connectors/none";' }), [
      "MODULE_IMPORT_UNRESOLVED e.ts:1:8",
    ]);
    assert.deepEqual(await failures({ "f.ts": 'import "./addon.node";' }), ["MODULE_NATIVE_ADDON f.ts:1:8"]);
  });

  test("of very many errors the first few are told", async () => {
    const imports = Array.from({ length: 30 }, (_, index) => `import "./none-${index}.ts";`);
    assert.equal((await failures({ "many.ts": imports.join("\n") })).length, 5);
  });

  test("what a killed run left behind is removed by the next one, and what belongs to a running process is not", async () => {
    const gone = spawnSync(process.execPath, ["--version"]).pid;
    const [left, running] = [gone, process.ppid].map((pid) => mkdtempSync(join(tmpdir(), `millrace-${pid}-`)));
    writeFileSync(join(left ?? "", "x.mjs"), "");
    for (let run = 0; run < 100 && existsSync(left ?? ""); run += 1) await bundle({ "next.ts": "export default 1;" });
    assert.deepEqual(
      [left, running].map((directory) => existsSync(directory ?? "")),
      [false, true],
    );
    rmSync(running ?? "", { recursive: true });
  });

  test("a file that is missing, a directory, or unreadable is told of", async () => {
    const code = (entry: string) =>
      moduleBundle(entry, { cwd, what: "job file" }).then(
        () => "",
        ({ code: found }) => found,
      );
    assert.equal(await code("nowhere.ts"), "MODULE_FILE_MISSING");
    assert.equal(await code("."), "MODULE_FILE_UNREADABLE");
    writeFileSync(join(cwd, "locked.ts"), "");
    chmodSync(join(cwd, "locked.ts"), 0);
    if (process.getuid?.() !== 0) assert.equal(await code("locked.ts"), "MODULE_FILE_UNREADABLE");
  });

  test("suspicious code is a warning, in the user's files only", async () => {
    const made = await bundle({ "odd.ts": "\nexport default { a: 1, a: 2 };" });
    assert.deepEqual(
      made.warnings.map(({ code, location }) => [code, location?.line]),
      [["MODULE_SUSPICIOUS", 2]],
    );
  });

  test("a module that throws tells so with its own error as the cause, an import of nothing with what was meant", async () => {
    const thrown = await bundle({ "throws.ts": 'throw new RangeError("at once");' });
    await assert.rejects(bundleImport(thrown.url), ({ code, cause }: EngineError) => {
      return code === "MODULE_THREW" && cause instanceof RangeError;
    });
    const misspelt = await bundle({ "misspelt.ts": 'import { jobb } from "millrace"; export default jobb();' });
    await assert.rejects(bundleImport(misspelt.url), { code: "MODULE_EXPORT_MISSING", fix: "did you mean job?" });
  });

  test("only a job is taken for one", async () => {
    for (const [name, text, found] of [
      ["none.ts", "export const a = 1;", "is missing"],
      ["function.ts", "export default () => {};", "is a function"],
      ["null.ts", "export default null;", "is null"],
    ] as const) {
      const made = await bundle({ [name]: text });
      await assert.rejects(jobLoad(made.url), {
        code: "JOB_NOT_EXPORTED",
        message: `the module's default export ${found}, not a job`,
      });
    }
  });
});
