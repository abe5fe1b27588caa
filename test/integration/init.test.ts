// Projects made by `millrace init`, used as their README says.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { millrace } from "./cli-process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const CONDITION = "millrace-source";
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "millrace-init-")));
after(() => rmSync(scratch, { recursive: true, force: true }));

type Manifest = {
  readonly name: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

const manifestOf = (project: string): Manifest => JSON.parse(readFileSync(join(project, "package.json"), "utf8"));

/** In place of `npm install`. */
function install(project: string): void {
  mkdirSync(join(project, "node_modules/@types"), { recursive: true });
  symlinkSync(ROOT, join(project, "node_modules/millrace"));
  symlinkSync(join(ROOT, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
}

/** A line that the job of a template prints. */
const PRINTED: Readonly<Record<string, RegExp>> = {
  market: /^bars\S* {2}\{ minute: 2026-01-05T09:30:00\.000Z {2}symbol: "ACME" {2}open: /m,
  iot: /^alerts\S* {2}\{ device: "sensor-3" {2}kind: "silent" {2}at: 2026-01-05T00:10:50\.003Z /m,
  "csv-clean": /^countries\S* {2}\{ country: "SE" {2}orders: 2 {2}total: 200\.5 {2}mean: 100\.25 \}$/m,
};

test("each template of the package is made by a test, and named by the help", async () => {
  const entries = readdirSync(join(ROOT, "templates"), { withFileTypes: true });
  const templates = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  assert.deepEqual(templates.sort(), Object.keys(PRINTED).sort());
  const { stdout } = await millrace(["init", "--help"]);
  for (const template of templates) assert.match(stdout, new RegExp(`^ {2}--template name .*\\b${template}\\b`, "m"));
});

for (const [template, printed] of Object.entries(PRINTED)) {
  describe(`a project of the template ${template}`, { concurrency: 1 }, () => {
    const project = join(scratch, template);

    test("is made, and its commands are told", async () => {
      const { code, stderr } = await millrace(["init", template, "--template", template], { cwd: scratch });
      assert.equal(code, 0, stderr);
      const told = stderr.split("\n").map((line) => line.slice("next   ".length));
      const commands = ["npm install", "npm start", "npm test"];
      assert.ok(told.includes(`cd ${template}`));
      assert.deepEqual(
        told.filter((line) => commands.includes(line)),
        commands,
      );
      assert.match(readFileSync(join(project, "README.md"), "utf8"), /^\| `npm start` \|/m);
      assert.match(readFileSync(join(project, ".gitignore"), "utf8"), /^node_modules\/$/m);
    });

    test("depends on the engine that made it, which is where the path leads", () => {
      const { name, dependencies, devDependencies } = manifestOf(project);
      assert.equal(name, template);
      const [, path = ""] = /^file:(.+)$/.exec(dependencies.millrace ?? "") ?? [];
      assert.equal(resolve(project, path), realpathSync(ROOT));
      assert.ok(devDependencies.typescript !== undefined && devDependencies["@types/node"] !== undefined);
    });

    test("prints results when it is started, in slots and in one thread", async () => {
      install(project);
      const [, ...start] = manifestOf(project).scripts.start?.split(" ") ?? [];
      for (const flags of [[], ["--local"]]) {
        const { code, stdout, stderr } = await millrace([...start, ...flags], { cwd: project });
        assert.equal(code, 0, stderr);
        assert.match(stdout, printed);
      }
    });

    test("has tests that pass", () => {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const run = spawnSync(process.execPath, [`--conditions=${CONDITION}`, "--test"], {
        cwd: project,
        env,
        encoding: "utf8",
      });
      assert.equal(run.status, 0, run.stdout);
      assert.match(run.stdout, /^\S+ pass [1-9]/m);
    });
  });
}

/** All templates are compiled with the engine; their settings are those of one. */
test("a project compiles with its own settings", async () => {
  const project = join(scratch, "settings");
  await millrace(["init", "settings"], { cwd: scratch });
  install(project);
  // For the engine's sources, which stand in for its declarations here.
  const forSources = ["--customConditions", CONDITION, "--exactOptionalPropertyTypes"];
  const run = spawnSync(join(ROOT, "node_modules/.bin/tsc"), forSources, { cwd: project, encoding: "utf8" });
  assert.equal(run.stdout, "");
  assert.equal(run.status, 0);
});

test("rows that do not fit, and those that lack something, are set aside with their reasons", async () => {
  const project = join(scratch, "rows");
  await millrace(["init", "rows", "--template=csv-clean"], { cwd: scratch });
  await millrace(["run", "job.ts", "--local"], { cwd: project });
  const rejected = join(project, "out/rejected");
  const parts = readdirSync(rejected).filter((name) => name.endsWith(".jsonl"));
  const rows = parts.flatMap((part) => readFileSync(join(rejected, part), "utf8").trim().split("\n"));
  const lines = rows.map((row) => (JSON.parse(row) as { line: number; issues: string[] }).line);
  assert.deepEqual(lines, [4, 7, 10]);
  const [incomplete = "", ...others] = readdirSync(join(project, "out/incomplete"))
    .filter((name) => name.endsWith(".jsonl"))
    .map((part) => readFileSync(join(project, "out/incomplete", part), "utf8"));
  assert.equal((JSON.parse(incomplete) as { record: { id: string } }).record.id, "1010");
  assert.deepEqual(others, []);
});

test("an empty directory is taken, also this one and a new repository; the template is market", async () => {
  const directory = join(scratch, "My Jobs!");
  mkdirSync(directory);
  execFileSync("git", ["init", "--quiet"], { cwd: directory });
  const { code, stderr } = await millrace(["init"], { cwd: directory });
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /\bcd /);
  assert.equal(manifestOf(directory).name, "my-jobs");
  assert.match(readFileSync(join(directory, "job.ts"), "utf8"), /name: "market"/);
});

describe("nothing is written", () => {
  test("into a directory that holds something, or over a file", async () => {
    const full = join(scratch, "full");
    mkdirSync(full);
    writeFileSync(join(full, "notes.txt"), "mine");
    for (const [directory, what] of [
      ["full", "it holds notes\\.txt"],
      ["full/notes.txt", "it is a file"],
    ] as const) {
      const { code, stderr } = await millrace(["init", directory], { cwd: scratch });
      assert.equal(code, 2);
      assert.match(stderr, new RegExp(`^✗ INIT_NOT_EMPTY {2}${directory} is no empty directory: ${what}\n`));
    }
    assert.deepEqual(readdirSync(full), ["notes.txt"]);
  });

  test("of a template that is not known: the one that was meant is named", async () => {
    const { code, stderr } = await millrace(["init", "unknown", "--template", "csv-claen"], { cwd: scratch });
    assert.equal(code, 2);
    assert.match(stderr, /^✗ TEMPLATE_UNKNOWN .*"csv-claen"\n {2}fix {2}did you mean --template csv-clean\?\n$/);
    const other = await millrace(["init", "unknown", "--template", "sql"], { cwd: scratch });
    assert.match(other.stderr, /templates are: csv-clean, iot, market/);
    assert.ok(!readdirSync(scratch).includes("unknown"));
  });
});
