// Which tests stand close to a source: those of its folder that reach it by imports, those of its own name first, then
// the closest; where the folder has none, the few of the whole repository that are closest.

import { dirname, join } from "node:path/posix";
import { repoSources } from "../tidy/repo-files.ts";
import { importsOf } from "../tidy/source-text.ts";

const ELSEWHERE_MAX = 4;

let importers: ReadonlyMap<string, readonly string[]> | null = null;

export function nearestTests(file: string): readonly string[] {
  importers ??= importersByFile();
  const reached: string[] = [file];
  // Breadth first: what is appended while it goes on is further away.
  for (const at of reached) for (const from of importers.get(at) ?? []) if (!reached.includes(from)) reached.push(from);
  const tests = reached.filter((path) => path.endsWith(".test.ts") && !path.startsWith("test/mutants/"));
  const beside = tests.filter((path) => dirname(path) === dirname(file));
  const named = beside.filter((path) => path.startsWith(file.replace(/\.ts$/, ".")));
  return beside.length > 0 ? [...new Set([...named, ...beside])] : tests.slice(0, ELSEWHERE_MAX);
}

function importersByFile(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const source of repoSources(/^(src|test)\/.*\.ts$/)) {
    for (const { specifier } of importsOf(source)) {
      if (!specifier.startsWith(".")) continue;
      const target = join(dirname(source.path), specifier);
      found.set(target, [...(found.get(target) ?? []), source.path]);
    }
  }
  return found;
}
