// What the README and the documentation show is true: every sample is run, and prints what the page says
// (docs-samples.ts).

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { GAP, outputLines, type PageSamples, pageSamples, type SampleFile } from "./docs-samples.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MILLRACE = join(ROOT, "bin/millrace.js");
const CONDITIONS = "--conditions=millrace-source";
/** A limit for hangs. */
const RUN_MAX_MS = 300_000;
/** Mostly long enough for it to have begun; if not, it gets twice the time. */
const ENDLESS_MS = 4_000;

const pages = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)]
  .filter((path) => path.endsWith(".md"))
  .map((path) => pageSamples(path, readFileSync(join(ROOT, path), "utf8")))
  .filter(({ files, sessions }) => files.length + sessions.length > 0);

// Inside the repository, so that "millrace" is the checkout, and in a folder that no other gate looks into.
mkdirSync(join(ROOT, "out"), { recursive: true });
const scratch = mkdtempSync(join(ROOT, "out/docs-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const folderOf = ({ path }: PageSamples): string => join(scratch, path.replace(/^docs\/|\.md$/g, ""));

for (const page of pages) {
  mkdirSync(folderOf(page));
  for (const { name, text } of page.files) {
    mkdirSync(dirname(join(folderOf(page), name)), { recursive: true });
    writeFileSync(join(folderOf(page), name), text);
  }
}

test("there are samples of every kind: a job, a test, a configuration, a command with its output", () => {
  const kinds = new Set(pages.flatMap(({ files }) => files.map(({ kind }) => kind)));
  assert.deepEqual([...kinds].sort(), ["config", "data", "job", "module", "test"]);
  const sessions = pages.flatMap((page) => page.sessions);
  assert.ok(sessions.some(({ commands, output }) => commands.length > 0 && output !== null));
});

test("every sample compiles", () => {
  writeFileSync(join(scratch, "tsconfig.json"), JSON.stringify({ extends: "../../tsconfig.json", include: ["."] }));
  const compiler = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", scratch, "--pretty", "false"], {
    cwd: scratch,
    encoding: "utf8",
  });
  assert.equal(compiler.stdout + compiler.stderr, "");
  assert.equal(compiler.status, 0);
});

describe("every sample runs", { concurrency: 2 }, () => {
  for (const page of pages) {
    // One after the other: the files of a page share a folder.
    describe(page.path, { concurrency: 1 }, () => {
      for (const file of page.files.filter((each) => !isRunByOthers(page, each))) {
        test(`${page.path}:${file.line} ${file.kind} ${file.name}`, () => runFile(page, file));
      }
      for (const session of page.sessions.filter(({ commands }) => commands.length > 0)) {
        test(`${page.path}:${session.line} commands`, async () => {
          const lines: string[] = [];
          for (const { command, exitCode } of session.commands) {
            const { code, output } = await runCommand(page, command);
            assert.equal(code, exitCode, `${command}\n${output}`);
            lines.push(...outputLines(output));
          }
          const isPlan = session.commands.every(({ command }) => command.includes(" explain "));
          (isPlan ? assertText : assertLines)(lines, session.output ?? [GAP]);
        });
      }
    });
  }
});

describe("a page is refused", () => {
  const fenced = (info: string, text: string): string => `\`\`\`${info}\n${text}\n\`\`\`\n`;

  test("when no rule says whether a command is to be run", () => {
    assert.throws(() => pageSamples("a.md", fenced("sh", "npm ci\nrm -r x")), /^Error: a\.md:3: .*: rm -r x$/);
  });

  test("when two of its files have one name", () => {
    const file = fenced("ts job.ts", "export default job({});");
    assert.throws(() => pageSamples("a.md", `${file}\n${file}`), /a\.md:5: the page has job\.ts twice/);
  });

  test("when it shows a line that is not printed, or not so often", () => {
    const [session] = pageSamples("a.md", fenced("sh", "node a.ts") + fenced("text", "…\nb\nb")).sessions;
    assert.deepEqual(session?.output, [GAP, "b", "b"]);
    assertLines(["b", "a", "b"], session?.output ?? []);
    assert.throws(() => assertLines(["b", "a"], session?.output ?? []), /the page shows\nb\n/);
  });

  test("when it leaves a line of a plan out without saying so", () => {
    assertText(["a", "b", "c", "d"], ["a", GAP, "c", GAP]);
    assert.throws(() => assertText(["a", "b", "c"], ["a", "c"]), /the page shows\na\nc\n/);
    assert.throws(() => assertText(["a", "b"], [GAP, "b", "a"]), /the page shows\n…\nb\na\n/);
  });

  test("and how a command ends is what its comment says", () => {
    const [session] = pageSamples("a.md", fenced("sh", "node a.ts   # exit code 2: wrong\nnode b.ts # fine")).sessions;
    assert.deepEqual(
      session?.commands.map(({ command, exitCode }) => [command, exitCode]),
      [
        ["node a.ts", 2],
        ["node b.ts", 0],
      ],
    );
  });
});

/** Input for others, imported by a test of the page, or named by a command that the page shows. */
function isRunByOthers({ files, sessions }: PageSamples, { name, kind }: SampleFile): boolean {
  const isOther = (other: SampleFile): boolean => other.kind === "test" || other.kind === "module";
  if (kind === "data" || files.some((other) => isOther(other) && other.text.includes(`"./${name}"`))) return true;
  return sessions.some(({ commands }) => commands.some(({ command }) => command.split(" ").includes(name)));
}

async function runFile(page: PageSamples, { name, kind, endless }: SampleFile): Promise<void> {
  const args = {
    job: [MILLRACE, "run", name],
    test: ["--test", name],
    config: [MILLRACE, "config", "show", "--config", name],
    module: [name],
    data: [],
  }[kind];
  const { code, output } = await run(page, { program: process.execPath, args: [CONDITIONS, ...args], endless });
  assert.equal(code, endless ? 130 : 0, output);
  if (kind === "test") assert.match(output, /^\S+ pass [1-9]/m, "the sample has no test");
}

/** Through a shell, as a user does. */
function runCommand(page: PageSamples, command: string): Promise<Ended> {
  const node = `"${process.execPath}" ${CONDITIONS}`;
  const script = command.replace(/\bnode (?=[-\w])/, `${node} `).replace(/\bnpx millrace\b/, `${node} "${MILLRACE}"`);
  return run(page, { program: "sh", args: ["-c", script], endless: false });
}

type Ended = { readonly code: number | null; readonly output: string };

type Started = {
  readonly program: string;
  readonly args: readonly string[];
  /** Interrupted after a while, as with Ctrl-C. */
  readonly endless: boolean;
};

async function run(page: PageSamples, { program, args, endless }: Started): Promise<Ended> {
  for (let limitMs = endless ? ENDLESS_MS : RUN_MAX_MS; ; limitMs *= 2) {
    const ended = await runFor(limitMs, page, { program, args, endless });
    // On a busy machine it may not have begun to listen for the signal.
    if (!endless || ended.code !== null || limitMs >= RUN_MAX_MS) return ended;
  }
}

async function runFor(limitMs: number, page: PageSamples, { program, args, endless }: Started): Promise<Ended> {
  const { NODE_TEST_CONTEXT: _, FORCE_COLOR: __, ...environment } = process.env; // Those of this test are not meant.
  const child = spawn(program, args, {
    cwd: folderOf(page),
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: endless ? "SIGINT" : "SIGKILL",
  });
  const streams = [child.stdout, child.stderr].map((stream) => stream.setEncoding("utf8").toArray());
  const [code] = (await once(child, "close")) as [number | null];
  const texts = await Promise.all(streams);
  return { code, output: texts.map((chunks) => chunks.join("")).join("") };
}

/** Each of `shown` is among `printed`, as often as it is shown. */
function assertLines(printed: readonly string[], shown: readonly string[]): void {
  const left = [...printed];
  for (const line of shown.filter((each) => each !== GAP)) {
    const at = left.indexOf(line);
    assert.ok(at >= 0, `the page shows\n${line}\nand what is printed is\n${printed.join("\n")}`);
    left.splice(at, 1);
  }
}

/** `shown` is `printed`, but for what its gaps stand for. */
function assertText(printed: readonly string[], shown: readonly string[]): void {
  const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
  const parts = shown.map((line) => (line === GAP ? "(?:.*\\n)*?" : `${RegExp.escape(line)}\\n`));
  const matches = new RegExp(`^${parts.join("")}$`).test(text(printed));
  assert.ok(matches, `the page shows\n${text(shown)}\nand what is printed is\n${text(printed)}`);
}
