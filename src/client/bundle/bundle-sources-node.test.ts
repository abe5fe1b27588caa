import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { userFrame } from "../../api/checks/call-site.ts";
import { bundleImport } from "../../taskmanager/runner/job-load-node.ts";
import { type Bundle, moduleBundle } from "./bundle-node.ts";

const FILES = {
  "a job.ts": `import { deep } from "./lib/deep.ts";
import { pack } from "pack";

type Padding = { so: string; that: number };
export default (): Error[] => [deep(), pack(() => { throw new Error("mine"); })];
`,
  "lib/deep.ts": `interface Gone { inThe: "bundle" }
export function deep(): Error {
  const value: Gone | null = null;
  return value ?? new Error("deep");
}
`,
  "node_modules/pack/index.js": `export function pack(f) {
  try { f(); } catch (error) { return error; }
}
`,
};

describe("places in a bundle", () => {
  const cwd = mkdtempSync(join(tmpdir(), "sources-test-"));
  let bundle: Bundle | null = null;
  let deep = new Error();
  let mine = new Error();

  before(async () => {
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), text);
    }
    bundle = await moduleBundle("a job.ts", { cwd, what: "job file" });
    const { default: run } = await bundleImport(bundle.url);
    [deep = deep, mine = mine] = (run as () => Error[])();
  });
  after(() => {
    bundle?.dispose();
    rmSync(cwd, { recursive: true, force: true });
  });
  const sources = () => bundle?.sources ?? assert.fail();

  test("frames lead to the user's files, relative to the working directory, innermost first", () => {
    assert.deepEqual(sources().frames(deep.stack ?? ""), [
      { file: "lib/deep.ts", line: 4, column: 19 },
      { file: "a job.ts", line: 5, column: 32 },
    ]);
  });

  test("frames of packages are left out when there are any of the user's own", () => {
    assert.deepEqual(
      sources()
        .frames(mine.stack ?? "")
        .map(({ file }) => file),
      ["a job.ts", "a job.ts"],
    );
  });

  test("a place as the API takes it down is mapped, and mapping it again changes nothing", () => {
    const taken = userFrame(deep.stack ?? "") ?? assert.fail();
    assert.equal(taken.file, join(cwd, "a job.ts"));
    const mapped = sources().locate(taken);
    assert.deepEqual(mapped, { file: "lib/deep.ts", line: 4, column: 19 });
    assert.deepEqual(sources().locate(mapped), mapped);
  });

  test("every place in a text is replaced, by name and by URL, with and without column", () => {
    const { file, line, column } = userFrame(deep.stack ?? "") ?? assert.fail();
    assert.equal(sources().mapText(`see ${file}:${line}:${column}!`), "see lib/deep.ts:4:19!");
    assert.match(sources().mapText(`see ${file}:${line}`), /^see lib\/deep\.ts:4:\d+$/);
    assert.doesNotMatch(sources().mapText(deep.stack ?? ""), /bundle=/);
  });

  test("the text of a file is the one that was bundled, whatever has become of it since", () => {
    writeFileSync(join(cwd, "lib/deep.ts"), "changed");
    assert.equal(sources().text("lib/deep.ts"), FILES["lib/deep.ts"]);
    assert.equal(sources().text("nowhere.ts"), null);
  });
});
