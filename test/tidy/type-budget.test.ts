// The type tests (`src/**/*.types.ts`) compile, negative cases included, and cost the compiler no more than they
// should: inference that explodes makes editors slow long before it makes the compiler fail.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, repoFiles } from "./repo-files.ts";

/** Raise it knowingly: by what the new cases add, not to make room. */
const INSTANTIATIONS_MAX = 138_000;

test("the type tests compile within their budget of type instantiations", () => {
  const files = repoFiles(/^src\/.*\.types\.ts$/);
  const compiler = spawnSync(
    join(ROOT, "node_modules/.bin/tsc"),
    // One checker: with several, each counts for itself, and the sum depends on which files fall to which.
    ["-p", "tsconfig.types.json", "--singleThreaded", "--extendedDiagnostics", "--listFiles"],
    { cwd: ROOT, encoding: "utf8" },
  );
  assert.equal(
    compiler.status,
    0,
    compiler.stdout
      .split("\n")
      .filter((line) => line.includes("error"))
      .join("\n"),
  );
  for (const file of files) assert.ok(compiler.stdout.includes(join(ROOT, file)), `${file} was not compiled`);
  const instantiations = Number(/^Instantiations:\s+(\d+)/m.exec(compiler.stdout)?.[1]);
  assert.ok(instantiations > 0, "the compiler did not say how many types it instantiated");
  assert.ok(
    instantiations <= INSTANTIATIONS_MAX,
    `${instantiations} type instantiations, the budget is ${INSTANTIATIONS_MAX}`,
  );
});
