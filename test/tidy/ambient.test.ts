// No ambient world: the clock, randomness, timers, the process, files and sockets are reached through `Env` and the
// other seams, so that a whole cluster can run in one thread on virtual time from a seed.

import assert from "node:assert/strict";
import { isBuiltin } from "node:module";
import { test } from "node:test";
import { isTestFile, repoSources } from "./repo-files.ts";
import { importsOf, lineAt, type SourceText, sourceText } from "./source-text.ts";

/** Adapters to the real world and entry points of processes and threads; the file name says so. */
const ADAPTER = /^src\/(cli\/.*|.*-(node|worker))\.ts$|^src\/storage\/node-disk\.ts$/;

/** Modules of Node that compute and touch nothing. */
const PURE_MODULES = new Set(
  [
    "assert",
    "assert/strict",
    "buffer",
    "crypto",
    "path",
    "path/posix",
    "string_decoder",
    "url",
    "util",
    "v8",
    "zlib",
  ].map((name) => `node:${name}`),
);

const NOT_A_MEMBER = String.raw`(?<![\w$#.])`;
const PROCESS_MEMBERS = [
  ..."abort|arch|argv|argv0|chdir|cpuUsage|cwd|emitWarning|env|execArgv|execPath|exit|exitCode|hrtime|kill".split("|"),
  ..."memoryUsage|nextTick|off|on|once|pid|platform|ppid|release|report|resourceUsage|stderr|stdin|stdout".split("|"),
  ..."title|umask|uptime|version|versions".split("|"),
].join("|");

const BANNED: readonly { readonly pattern: RegExp; readonly instead: string }[] = [
  { pattern: /\bDate\.now\b/g, instead: "env.clock.nowMs()" },
  { pattern: /\bnew\s+Date\b(?!\s*\(\s*[^\s)])/g, instead: "new Date(env.clock.nowMs())" },
  { pattern: new RegExp(String.raw`(?<!\bnew\s+)${NOT_A_MEMBER}Date\(`, "g"), instead: "env.clock.nowMs()" },
  { pattern: new RegExp(`${NOT_A_MEMBER}performance\\s*\\.`, "g"), instead: "env.clock.monotonicMs()" },
  { pattern: /\bMath\.random\b/g, instead: "env.random.next()" },
  { pattern: /\b(getRandomValues|random(Bytes|Fill|FillSync|Int|UUID))\b/g, instead: "env.random.next()" },
  { pattern: new RegExp(`${NOT_A_MEMBER}set(Immediate|Interval|Timeout)\\b`, "g"), instead: "env.timers" },
  { pattern: new RegExp(`${NOT_A_MEMBER}console\\s*\\.`, "g"), instead: "env.log.write()" },
  { pattern: new RegExp(`${NOT_A_MEMBER}process\\s*\\??\\.\\s*(${PROCESS_MEMBERS})\\b`, "g"), instead: "a parameter" },
  { pattern: /\bglobalThis\b/g, instead: "a parameter" },
];

function ambientProblems(source: SourceText): readonly string[] {
  if (isTestFile(source.path) || ADAPTER.test(source.path)) return [];
  const calls = BANNED.flatMap(({ pattern, instead }) =>
    [...source.code.matchAll(pattern)].map(
      ({ 0: found, index }) =>
        `${source.path}:${lineAt(source.text, index)}: ${found.trim()} is ambient, use ${instead}`,
    ),
  );
  const modules = importsOf(source)
    .filter(({ specifier }) => isBuiltin(specifier) && !PURE_MODULES.has(specifier))
    .map(
      ({ specifier, line }) => `${source.path}:${line}: ${specifier} is ambient, reach it through a *-node.ts adapter`,
    );
  return [...calls, ...modules];
}

test("nothing in src reaches the ambient world but its adapters", () => {
  const sources = repoSources(/^src\/.*\.ts$/);
  assert.ok(
    sources.some(({ path }) => ADAPTER.test(path)),
    "no adapter was seen: is ADAPTER out of date?",
  );
  assert.deepEqual(sources.flatMap(ambientProblems), []);
});

test("each ambient call and module is found, and its likes in strings, comments and members are not", () => {
  const problems = (text: string, path = "src/base/a.ts") => ambientProblems(sourceText(path, text)).length;
  const ambient = [
    "Date.now()",
    "new Date()",
    "new Date",
    "Date()",
    "performance.now()",
    "Math.random()",
    "crypto.randomUUID()",
    "setTimeout(f, 1)",
    "run(setImmediate)",
    "setInterval(f, 1)",
    "console.log(1)",
    "process.env.X",
    "process.hrtime()",
    "process?.exit(1)",
    "globalThis.setTimeout(f)",
    'import "node:fs"',
    'import "fs/promises"',
    'import "node:net"',
    'import("node:worker_threads")',
    'import type { A } from "node:child_process"',
    'export * from "node:timers"',
  ];
  for (const text of ambient) assert.equal(problems(text), 1, text);
  for (const text of ambient) assert.equal(problems(text, "src/cli/a.ts"), 0, text);
  for (const text of ambient) assert.equal(problems(text, "src/base/env-node.ts"), 0, text);
  for (const text of ambient) assert.equal(problems(text, "src/base/a.test.ts"), 0, text);
  const harmless = [
    "new Date(0)",
    "new Date(ms)",
    "Date.UTC(2000, 1)",
    "Date.parse(text)",
    "timers.setTimeout(f)",
    "this.#process.run()",
    "operator.process.env",
    "process(record)",
    "'Date.now()'",
    "// Math.random()",
    "`console.log(1)`",
    "performances.x",
    'import "node:util"',
    'import { createHash } from "node:crypto"',
    "const setTimeoutMs = 1",
  ];
  for (const text of harmless) assert.equal(problems(text), 0, text);
});
