// The lint rules that `npm run verify` relies on, each against a file that breaks it: a rule that was renamed, moved to
// another group or that no longer finds anything would otherwise pass everything in silence. Import cycles have no
// other check than Biome's, type-only ones included.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROOT, repoText } from "./repo-files.ts";

const BRANCHES = "if (a > 1) { for (const b of c) { if (b > a) a += b; } }\n".repeat(4);
const SWITCH = 'switch (kind) { case "a": return 1; }\n return 0;';

/** File, its text, and the rule it breaks; null for none. */
const CASES: readonly (readonly [string, string, string | null])[] = [
  ["src/base/a.ts", 'import type { B } from "./b.ts"; export type A = B | null;', "noImportCycles"],
  ["src/base/b.ts", 'import type { A } from "./a.ts"; export type B = { a: A };', "noImportCycles"],
  ["src/base/c.ts", "async function f() {}\nexport function g() { f(); }", "noFloatingPromises"],
  [
    "src/base/d.ts",
    "async function f() { return 1; }\nexport function g() { if (f()) return 1; }",
    "noMisusedPromises",
  ],
  ["src/base/e.ts", "export async function f() { await 3; }", "useAwaitThenable"],
  ["src/base/f.ts", `export function f(kind: "a" | "b") { ${SWITCH} }`, "useExhaustiveSwitchCases"],
  ["src/base/g.ts", "export const a: any = 1;", "noExplicitAny"],
  ["src/base/h.ts", `export function f(a: number, c: number[]) { ${BRANCHES} }`, "noExcessiveCognitiveComplexity"],
  ["src/base/i.ts", `export function f() {\n${"f();\n".repeat(80)}}`, "noExcessiveLinesPerFunction"],
  ["src/base/i.test.ts", `export function f() {\n${"f();\n".repeat(80)}}`, null],
  ["src/base/j.ts", "f();\n".repeat(601), "noExcessiveLinesPerFile"],
  ["src/base/k.ts", 'export { a } from "./g.ts";', "noBarrelFile"],
  ["src/index.ts", 'export { a } from "./base/g.ts";', null],
  ["src/base/l.ts", "export const f = (a: number[]) => a[0]!;", null],
];

test("each lint rule finds the file that breaks it", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-lint-"));
  try {
    const settings = JSON.parse(repoText("biome.json")) as Record<string, unknown>;
    writeFileSync(join(folder, "biome.json"), JSON.stringify({ ...settings, vcs: { enabled: false } }));
    for (const [file, text] of CASES) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    const biome = join(ROOT, "node_modules/.bin/biome");
    const found = spawnSync(biome, ["lint", "--max-diagnostics=none", "--reporter=github"], {
      cwd: folder,
      encoding: "utf8",
    });
    const rules = [...found.stdout.matchAll(/title=lint\/\w+\/(\w+),file=([^,]+)/g)].map(([, rule, file = ""]) => {
      return `${file.slice(file.indexOf("src/"))} ${rule}`;
    });
    const expected = CASES.flatMap(([file, , rule]) => (rule === null ? [] : [`${file} ${rule}`]));
    assert.deepEqual([...new Set(rules)].sort(), expected.sort());
  } finally {
    rmSync(folder, { recursive: true });
  }
});
