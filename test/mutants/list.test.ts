// The list of planted mistakes stays alive: each can still be planted. Whether it is caught, `npm run mutants` says.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ROOT } from "../tidy/repo-files.ts";
import { MUTANTS } from "./list/index.ts";
import { type Mutant, planted } from "./mutant.ts";
import { nearestTests } from "./nearest-tests.ts";

/** Folders of src that hold data or decide something. */
const FOLDERS = [
  ...["api", "base", "cli", "client", "config", "connectors", "graph", "jobmanager", "memory", "metrics", "network"],
  ...["operators", "state", "taskmanager", "testing", "types"],
];

describe("the list of planted mistakes", () => {
  test("each entry still finds its text once, and makes another program of it", () => {
    const failures = MUTANTS.flatMap((mutant) => {
      try {
        planted(mutant);
        return [];
      } catch (error) {
        return [(error as Error).message];
      }
    });
    assert.equal(failures.join("\n\n"), "");
  });

  test("each has a name of its own, and tests that exist", () => {
    assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
    for (const { name, tests = [] } of MUTANTS)
      for (const path of tests) assert.ok(existsSync(join(ROOT, path)), `${name}: there is no ${path}`);
  });

  test("it is long enough, and spread over all folders that hold data or decide something", () => {
    assert.ok(MUTANTS.length >= 80, `${MUTANTS.length}`);
    const seen = new Set(MUTANTS.map(({ file }) => file.split("/")[1]));
    assert.deepEqual(
      FOLDERS.filter((folder) => !seen.has(folder)),
      [],
    );
  });

  test("an entry that finds its text not at all, or twice, or that changes nothing, is named with what to do", () => {
    const mutant: Mutant = { name: "one too many", file: "src/a.ts", find: "i += 1", replace: "i += 2" };
    const text = (code: string): string => planted(mutant, code);
    assert.equal(text("let i = 0; i += 1;"), "let i = 0; i += 2;");
    assert.throws(() => text("let i = 0;"), /"one too many" .* src\/a\.ts, .* 0 times:\ni \+= 1\n.*npm run mutants/);
    assert.throws(() => text("let i = 0; i += 1; i += 1;"), /finds it 2 times/);
    assert.throws(() => planted({ ...mutant, replace: "i += 1" }, "i += 1;"), /changes nothing/);
    assert.throws(() => planted({ ...mutant, replace: "i += (" }, "i += 1;"), /syntax error/);
  });

  test("the tests close to a source are those of its folder that reach it, the closest first", () => {
    assert.equal(nearestTests("src/taskmanager/runner/heap-guard.ts")[0], "src/taskmanager/runner/heap-guard.test.ts");
    const [first, ...others] = nearestTests("src/memory/segment-pool.ts");
    assert.match(first ?? "", /^src\/memory\/segment-pool\./);
    assert.ok(others.length > 0 && others.every((path) => path.startsWith("src/memory/")));
  });
});
