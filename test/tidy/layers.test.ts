// The layers of `src/`: what a folder may import. Siblings and what lies above are out of reach; folders meet further
// down.

import assert from "node:assert/strict";
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { test } from "node:test";
import { isTestFile, repoSources, repoText } from "./repo-files.ts";
import { importsOf, type SourceText, sourceText } from "./source-text.ts";

/** A folder may import itself, what stands in its row, and what those may import. "*" is everything. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  config: ["base"],
  types: ["base"],
  metrics: ["base"],
  memory: ["base", "config"],
  storage: ["base", "config"],
  state: ["types", "memory", "storage"],
  operators: ["types", "state"],
  graph: ["types", "operators", "config"],
  api: ["graph", "operators", "types"],
  protocol: ["types", "graph", "metrics"],
  network: ["protocol", "memory"],
  taskmanager: ["network", "operators", "state", "api"],
  jobmanager: ["network", "graph", "storage"],
  connectors: ["api", "operators", "types"],
  client: ["*"],
  rest: ["*"],
  cli: ["*"],
  testing: ["*"],
  "index.ts": ["*"],
};

type Manifest = { dependencies?: Record<string, string>; peerDependencies?: Record<string, string> };

function packagesOf(manifest: Manifest): ReadonlySet<string> {
  return new Set([...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.peerDependencies ?? {})]);
}

function reachable(folder: string, seen = new Set<string>()): ReadonlySet<string> {
  seen.add(folder);
  for (const below of LAYERS[folder] ?? []) if (!seen.has(below)) reachable(below, seen);
  return seen;
}

function layerProblems(sources: readonly SourceText[], packages: ReadonlySet<string>): readonly string[] {
  return sources
    .filter((source) => !isTestFile(source.path))
    .flatMap((source) => {
      const folder = source.path.split("/")[1] ?? "";
      if (LAYERS[folder] === undefined) return [`${source.path}: the folder "${folder}" is in no row of LAYERS`];
      const allowed = reachable(folder);
      return importsOf(source).flatMap(({ specifier, line }) => {
        const problem = specifier.startsWith(".")
          ? targetProblem(posix.join(posix.dirname(source.path), specifier), folder, allowed)
          : packageProblem(specifier, packages);
        return problem === null ? [] : [`${source.path}:${line}: imports ${specifier}: ${problem}`];
      });
    });
}

function targetProblem(target: string, folder: string, allowed: ReadonlySet<string>): string | null {
  if (target === "package.json" || target.endsWith("/")) return null; // Data, and the URL of a folder.
  const [root, targetFolder = ""] = target.split("/");
  if (root !== "src") return "outside of src, it is not in the package";
  if (isTestFile(target)) return "a test file is not in the package";
  if (targetFolder === folder) return null;
  if (targetFolder === "index.ts") return "the entry point is for users; import the file that declares it";
  return allowed.has(targetFolder) || allowed.has("*") ? null : `"${folder}" may not import "${targetFolder}"`;
}

function packageProblem(specifier: string, packages: ReadonlySet<string>): string | null {
  if (isBuiltin(specifier)) return null;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  return packages.has(name) ? null : "not among the dependencies in package.json";
}

test("every import in src goes down the layers, to a file of the package, a dependency or Node", () => {
  const sources = repoSources(/^src\/.*\.ts$/);
  assert.ok(sources.flatMap(importsOf).length > 0, "no import was checked");
  const packages = packagesOf(JSON.parse(repoText("package.json")) as Manifest);
  assert.deepEqual(layerProblems(sources, packages), []);
});

test("an import that goes up, sideways or out of the package is found, in whatever form it is written", () => {
  const problems = (path: string, text: string) => layerProblems([sourceText(path, text)], new Set(["esbuild"])).length;
  assert.equal(
    problems("src/state/a.ts", 'import type { B } from "../base/b.ts"; import "./c.ts"; import "node:fs";'),
    0,
  );
  assert.equal(problems("src/network/a.ts", 'import { b } from "../graph/b.ts"; import "../base/c.ts";'), 0);
  assert.equal(problems("src/cli/a.ts", 'import "../taskmanager/b.ts"; import "../rest/c.ts"; import "esbuild";'), 0);
  assert.equal(problems("src/base/a.test.ts", 'import "../cli/b.ts"; import "fast-check";'), 0);
  assert.equal(problems("src/base/a.ts", 'import "../config/b.ts";'), 1);
  assert.equal(problems("src/taskmanager/a.ts", 'export type { B } from "../jobmanager/b.ts";'), 1);
  assert.equal(problems("src/memory/a.ts", 'await import("../storage/b.ts");'), 1);
  assert.equal(problems("src/memory/a.ts", 'type B = import("../types/b.ts").B;'), 1);
  assert.equal(problems("src/network/a.ts", 'new Worker(new URL("../taskmanager/b.ts", import.meta.url));'), 1);
  assert.equal(
    problems("src/testing/a.ts", 'import "../index.ts"; import "../base/b.test.ts"; import "../../test/c.ts";'),
    3,
  );
  assert.equal(problems("src/base/a.ts", 'import "zod"; import "@scope/name/file";'), 2);
  assert.equal(problems("src/elsewhere/a.ts", ""), 1);
});
