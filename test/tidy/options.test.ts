// An option that nothing reads is a promise that nobody keeps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTIONS } from "../../src/config/options.ts";
import { repoSources } from "./repo-files.ts";

test("every configuration option is read by some source", () => {
  const sources = repoSources(/^src\/.*\.ts$/).filter(
    ({ path }) => path !== "src/config/options.ts" && !/\.(test|contract|types)\.ts$/.test(path),
  );
  const names = Object.keys(OPTIONS);
  assert.ok(sources.length > 0 && names.length > 0, "nothing was checked");
  const unread = names.filter((name) => !sources.some(({ text }) => new RegExp(`\\bOPTIONS\\.${name}\\b`).test(text)));
  assert.deepEqual(unread, []);
});
