// What a folder of `src/` may import. The tables of docs/ARCHITECTURE.md say it, for the folders and for the rooms
// inside a folder; here they are held against the imports, in both directions.

import assert from "node:assert/strict";
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { test } from "node:test";
import { isTestFile, repoSources, repoText } from "./repo-files.ts";
import { importsOf, type SourceText, sourceText } from "./source-text.ts";

/**
 * By folder: the folders below it, as the tables name them. A folder may import itself, those, and what those may
 * import. "everything" is everything; a folder's own name stands for the files that lie in it directly.
 */
type Layers = ReadonlyMap<string, readonly string[]>;

/** A row of a table of layers: `| `src/a/b`, `src/a/c` | what it holds | d, e |`. */
const ROW = /^\| (`src\/[^|]*) \|[^|]*\| ([^|]*) \|$/gm;

function layersOf(architecture: string): Layers {
  const rows = [...architecture.matchAll(ROW)].flatMap(([, folders = "", below = ""]) =>
    [...folders.matchAll(/`([^`]+)`/g)].map(([, folder = ""]): [string, readonly string[]] => {
      const names = below === "nothing" ? [] : below.split(", ");
      return [folder, names.map((name) => posix.join(posix.dirname(folder), name))];
    }),
  );
  assert.equal(new Map(rows).size, rows.length, "a folder stands in two rows");
  return new Map(rows);
}

/** For users: it only passes on what other files declare. */
function isEntryPoint(path: string): boolean {
  return posix.basename(path) === "index.ts";
}

type Arrow = { readonly from: string; readonly to: string };

/**
 * From which folder to which a relative import goes: the first two in which the paths differ. Files that lie in a
 * folder beside its rooms count as the folder itself.
 */
function arrowOf(path: string, target: string): Arrow {
  const from = path.split("/");
  const to = target.split("/");
  let depth = 0;
  while (depth < from.length - 1 && depth < to.length - 1 && from[depth] === to[depth]) depth += 1;
  const name = (parts: readonly string[]) => parts.slice(0, Math.min(depth + 1, parts.length - 1)).join("/");
  return { from: name(from), to: name(to) };
}

function isAllowed({ from, to }: Arrow, layers: Layers): boolean {
  if (from === to) return true;
  // The files beside rooms are above them, but for a room that says that it stands on them.
  if (posix.dirname(to) === from) return !isBelow(to, from, layers);
  return isBelow(from, to, layers);
}

function isBelow(folder: string, target: string, layers: Layers, seen = new Set<string>()): boolean {
  if (seen.has(folder)) return false;
  seen.add(folder);
  const below = layers.get(folder) ?? [];
  const own = posix.dirname(folder);
  return below.some(
    (name) =>
      name === target ||
      posix.basename(name) === "everything" ||
      (name === posix.join(own, posix.basename(own)) && target === own) ||
      isBelow(name, target, layers, seen),
  );
}

type Manifest = { dependencies?: Record<string, string>; peerDependencies?: Record<string, string> };

function packagesOf(manifest: Manifest): ReadonlySet<string> {
  return new Set([...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.peerDependencies ?? {})]);
}

type Tree = { readonly layers: Layers; readonly packages: ReadonlySet<string> };

function layerProblems(sources: readonly SourceText[], { layers, packages }: Tree): readonly string[] {
  return sources
    .filter((source) => !isTestFile(source.path))
    .flatMap((source) => {
      const folder = posix.dirname(source.path);
      if (!layers.has(folder) && !hasRooms(folder, layers) && !isEntryPoint(source.path))
        return [`${source.path}: the folder "${folder}" is in no table of docs/ARCHITECTURE.md`];
      return importsOf(source).flatMap(({ specifier, line }) => {
        const problem = specifier.startsWith(".")
          ? targetProblem(source.path, posix.join(folder, specifier), layers)
          : packageProblem(specifier, packages);
        return problem === null ? [] : [`${source.path}:${line}: imports ${specifier}: ${problem}`];
      });
    });
}

function hasRooms(folder: string, layers: Layers): boolean {
  return [...layers.keys()].some((name) => posix.dirname(name) === folder);
}

function targetProblem(path: string, target: string, layers: Layers): string | null {
  if (target === "package.json" || target.endsWith("/")) return null; // Data, and the URL of a folder.
  if (!target.startsWith("src/")) return "outside of src, it is not in the package";
  if (isTestFile(target)) return "a test file is not in the package";
  if (isEntryPoint(target)) return "the entry point is for users; import the file that declares it";
  const arrow = arrowOf(path, target);
  if (isEntryPoint(path) || isAllowed(arrow, layers)) return null;
  return `"${arrow.from}" may not import "${arrow.to}"`;
}

function packageProblem(specifier: string, packages: ReadonlySet<string>): string | null {
  if (isBuiltin(specifier)) return null;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  return packages.has(name) ? null : "not among the dependencies in package.json";
}

/** Arrows of the tables along which nothing is imported: the picture would show what is not there. */
function unusedArrows(sources: readonly SourceText[], layers: Layers): readonly string[] {
  const used = new Set<string>();
  for (const source of sources) {
    if (isTestFile(source.path)) continue;
    for (const { specifier } of importsOf(source)) {
      if (!specifier.startsWith(".")) continue;
      const { from, to } = arrowOf(source.path, posix.join(posix.dirname(source.path), specifier));
      used.add(`${from} → ${to}`);
    }
  }
  return [...layers].flatMap(([folder, below]) =>
    below
      .filter((name) => posix.basename(name) !== "everything")
      .map((name) => (layers.has(name) ? name : posix.dirname(name)))
      .map((name) => `${folder} → ${name}`)
      .filter((arrow) => !used.has(arrow)),
  );
}

const sources = repoSources(/^src\/.*\.ts$/);
const layers = layersOf(repoText("docs/ARCHITECTURE.md"));
const packages = packagesOf(JSON.parse(repoText("package.json")) as Manifest);

test("every import in src goes down the layers, to a file of the package, a dependency or Node", () => {
  assert.ok(sources.flatMap(importsOf).length > 0, "no import was checked");
  assert.deepEqual(layerProblems(sources, { layers, packages }), []);
});

test("every folder and arrow of docs/ARCHITECTURE.md is there", () => {
  const folders = new Set(sources.map(({ path }) => posix.dirname(path)));
  const missing = [...layers.keys()].filter(
    (name) => ![...folders].some((folder) => `${folder}/`.startsWith(`${name}/`)),
  );
  assert.deepEqual(missing, []);
  assert.deepEqual(unusedArrows(sources, layers), []);
});

const DRAWN = layersOf(`
| folder | holds | may import |
|---|---|---|
| \`src/base\` | | nothing |
| \`src/config\` | | base |
| \`src/state\`, \`src/storage\` | | config |
| \`src/cli\`, \`src/testing\` | | everything |
| \`src/state/keys\` | | nothing |
| \`src/state/table\` | | keys |
| \`src/state/heap\` | | state |
`);

test("an import that goes up, sideways or out of the package is found, in whatever form it is written", () => {
  const problems = (path: string, text: string) =>
    layerProblems([sourceText(path, text)], { layers: DRAWN, packages: new Set(["esbuild"]) }).length;
  assert.equal(
    problems("src/state/a.ts", 'import type { B } from "../base/b.ts"; import "./c.ts"; import "node:fs";'),
    0,
  );
  assert.equal(problems("src/cli/a.ts", 'import "../state/b.ts"; import "../testing/c.ts"; import "esbuild";'), 0);
  assert.equal(problems("src/base/a.test.ts", 'import "../cli/b.ts"; import "fast-check";'), 0);
  assert.equal(problems("src/base/a.ts", 'import "../config/b.ts";'), 1);
  assert.equal(problems("src/state/a.ts", 'export type { B } from "../storage/b.ts";'), 1);
  assert.equal(problems("src/config/a.ts", 'await import("../storage/b.ts");'), 1);
  assert.equal(problems("src/config/a.ts", 'type B = import("../state/b.ts").B;'), 1);
  assert.equal(problems("src/config/a.ts", 'new Worker(new URL("../state/b.ts", import.meta.url));'), 1);
  assert.equal(
    problems("src/testing/a.ts", 'import "../index.ts"; import "../base/b.test.ts"; import "../../test/c.ts";'),
    3,
  );
  assert.equal(problems("src/base/a.ts", 'import "zod"; import "@scope/name/file";'), 2);
  assert.equal(problems("src/elsewhere/a.ts", ""), 1);
  assert.equal(problems("src/state/elsewhere/a.ts", ""), 1);
});

test("rooms of a folder stand below the files beside them, but for those that say that they stand on them", () => {
  const problems = (path: string, text: string) =>
    layerProblems([sourceText(path, text)], { layers: DRAWN, packages: new Set() }).length;
  assert.equal(problems("src/state/table/a.ts", 'import "../keys/b.ts"; import "../../base/c.ts";'), 0);
  assert.equal(
    problems("src/state/keys/a.ts", 'import "../table/b.ts"; import "../c.ts"; import "../../storage/d.ts";'),
    3,
  );
  assert.equal(problems("src/state/a.ts", 'import "./table/b.ts"; import "./keys/c.ts";'), 0);
  assert.equal(problems("src/state/heap/a.ts", 'import "../b.ts"; import "../keys/c.ts";'), 1);
  assert.equal(problems("src/state/a.ts", 'import "./heap/b.ts";'), 1);
});

test("an arrow along which nothing is imported is found", () => {
  const unused = unusedArrows(
    [
      sourceText("src/config/a.ts", 'import "../base/b.ts";'),
      sourceText("src/state/a.ts", 'import "../config/b.ts";'),
      sourceText("src/state/table/a.ts", 'import "../keys/b.ts";'),
    ],
    DRAWN,
  );
  assert.deepEqual(unused, ["src/storage → src/config", "src/state/heap → src/state"]);
});
