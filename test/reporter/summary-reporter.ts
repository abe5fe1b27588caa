// The reporter of `npm test`: a line per file while it runs, every failure in full at the end, then the count.
//
//   R1. The last line is `N passed, N failed`, counted from the runner's events: leaf tests, each once.
//   R2. Whatever makes the run fail counts at least one failure: a file that crashes while loading, exits early, is
//       killed or holds no test; a hook, or a parent test that fails although all its subtests passed.
//   R3. A file that does not end is killed. The runner's `--test-timeout` ends tests, not files: a loop that never
//       yields or a handle left open would otherwise hang the run.
//   R4. Skipped and todo tests are listed and counted apart: they did not pass.

import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { relative, resolve } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

const FILE_DEADLINE_MS = Number(process.env.MILLRACE_TEST_FILE_DEADLINE_MS ?? 900_000);
/** What is kept of a file's own output, so that a chatty file cannot fill the memory of the run. */
const OUTPUT_LINES_MAX = 200;
/** With a filter on the command line it is no mistake that nothing ran in a file. */
const FILTERED = process.execArgv.some((flag) => /^--test-(name-pattern|skip-pattern|only)/.test(flag));

type EventData<Type extends TestEvent["type"]> = Extract<TestEvent, { type: Type }>["data"];
/** `entryFile` is the file that runs; `file` is where the test is written, which may be a contract. */
type Verdict = EventData<"test:pass" | "test:fail"> & { readonly entryFile?: string };
type RunnerError = Error & { failureType?: string; cause?: unknown; signal?: string | null; exitCode?: number | null };
type Failure = { readonly title: string; readonly file: string; readonly text: string };

/** Files killed by R3. */
const killed = new Set<string>();

/**
 * What a finished run amounts to. Verdicts arrive children first, file by file, each file's in the order of its source.
 */
class Tally {
  passed = 0;
  failed = 0;
  readonly failures: Failure[] = [];
  readonly notPassed: string[] = [];
  /** Names of the tests that are open, by nesting. */
  readonly #names: string[] = [];
  /** By nesting: verdicts seen since the one of their parent, and how many of them or of theirs counted as failed. */
  readonly #seen: { verdicts: number; failed: number }[] = [];
  #entryFile: string | undefined;

  onStart(event: EventData<"test:start">): void {
    this.#names.length = event.nesting;
    this.#names[event.nesting] = event.name;
  }

  onVerdict(event: Verdict, error: RunnerError | null): void {
    if (event.entryFile !== this.#entryFile) this.#seen.length = 0; // The file before may have ended in mid-suite.
    this.#entryFile = event.entryFile;
    if (isFile(event)) this.#onFile(event, error);
    else this.#onTest(event, error);
  }

  #onTest(event: Verdict, error: RunnerError | null): void {
    const below = this.#seen[event.nesting + 1] ?? { verdicts: 0, failed: 0 };
    this.#seen.length = event.nesting + 1;
    const leaf = below.verdicts === 0 && event.details.type !== "suite";
    const failedBefore = this.failed;
    if (event.skip !== undefined || event.todo !== undefined) {
      this.notPassed.push(`${event.skip === undefined ? "todo" : "skipped"}  ${this.#title(event)}${reason(event)}`);
    } else if (error !== null) {
      // A parent that failed only because of subtests says nothing that they have not said.
      if (below.failed === 0 || error.failureType !== "subtestsFailed") {
        this.#fail(event, errorText(error), below.failed === 0);
      }
    } else if (leaf) {
      this.passed += 1;
    }
    const { verdicts, failed } = this.#seen[event.nesting] ?? { verdicts: 0, failed: 0 };
    this.#seen[event.nesting] = { verdicts: verdicts + 1, failed: failed + below.failed + this.failed - failedBefore };
  }

  /**
   * The verdict on a whole file: given only when none of its tests was reported, or when it failed beside its tests.
   */
  #onFile(event: Verdict, error: RunnerError | null): void {
    if (error !== null) this.#fail(event, fileErrorText(event, error), true);
    else if (!FILTERED) this.#fail(event, "the file holds no test", true);
  }

  #fail(event: Verdict, text: string, counts: boolean): void {
    if (counts) this.failed += 1;
    this.failures.push({ title: this.#title(event), file: event.entryFile ?? event.file ?? "", text });
  }

  #title(event: Verdict): string {
    const { entryFile, file = "", line = 1 } = event;
    const names = [...this.#names.slice(0, event.nesting), event.name].join(" > ");
    const place = `${relative(process.cwd(), file)}:${line}`;
    if (entryFile === undefined || entryFile === file) return `${place}  ${names}`;
    return `${relative(process.cwd(), entryFile)}  ${names}  (${place})`;
  }
}

function reason(event: Verdict): string {
  const text = event.skip ?? event.todo;
  return typeof text === "string" ? `  (${text})` : "";
}

function errorText(error: RunnerError): string {
  const cause = error.cause ?? error;
  if (typeof cause === "string") return cause;
  const isAssertion = cause instanceof Error && "code" in cause && cause.code === "ERR_ASSERTION";
  const text = isAssertion ? (cause.stack ?? cause.message) : inspect(cause, { depth: 4 });
  return text.replaceAll(/\n\s+at [^\n]*(\(node:|node:internal|Promise\.all)[^\n]*/g, "");
}

function fileErrorText(event: Verdict, error: RunnerError): string {
  if (killed.has(resolve(event.name))) {
    return `killed after ${FILE_DEADLINE_MS / 1_000} s: a test, or something that a test left open, does not end`;
  }
  return `ended outside of a test by ${error.signal ?? `exit code ${error.exitCode ?? "unknown"}`}`;
}

/** R3. The runner does not hand out its child processes; this channel does. */
function killFilesThatDoNotEnd(): void {
  subscribe("child_process", (message) => {
    const child = (message as { process: ChildProcess }).process;
    const timer = setTimeout(() => {
      killed.add(resolve(child.spawnargs.at(-1) ?? ""));
      child.kill("SIGKILL");
      // A grandchild may hold the other ends of the pipes open, and the runner waits for the pipes as well.
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, 1_000).unref();
    }, FILE_DEADLINE_MS);
    timer.unref();
    child.once("exit", () => clearTimeout(timer));
  });
}

function isFile(event: { readonly name: string; readonly nesting: number; readonly file?: string }): boolean {
  return event.nesting === 0 && event.file !== undefined && resolve(event.name) === resolve(event.file);
}

function fileLine(event: EventData<"test:complete">): string {
  const seconds = (event.details.duration_ms / 1_000).toFixed(1).padStart(6);
  const end = killed.has(resolve(event.name)) ? "  killed" : event.details.passed ? "" : "  FAILED";
  return `${seconds} s  ${event.name}${end}\n`;
}

function* report(tally: Tally, output: ReadonlyMap<string, readonly string[]>): Generator<string> {
  for (const line of tally.notPassed) yield `${line}\n`;
  for (const { title, text } of tally.failures) yield `\n✖ ${title}\n${text.replaceAll(/^/gm, "    ")}\n`;
  for (const file of new Set(tally.failures.map((failure) => failure.file))) {
    const lines = output.get(file);
    if (lines !== undefined) yield `\nlast output of ${relative(process.cwd(), file)}:\n${lines.join("")}`;
  }
  if (tally.notPassed.length > 0) yield `\n${tally.notPassed.length} skipped or todo\n`;
  yield `${tally.passed} passed, ${tally.failed} failed\n`;
}

function keepOutput(output: Map<string, string[]>, file: string, message: string): void {
  const lines = output.get(file) ?? [];
  lines.push(message.endsWith("\n") ? message : `${message}\n`);
  if (lines.length > OUTPUT_LINES_MAX) lines.shift();
  output.set(file, lines);
}

killFilesThatDoNotEnd();

export default async function* summaryReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const tally = new Tally();
  const output = new Map<string, string[]>();
  for await (const { type, data } of source) {
    switch (type) {
      case "test:start":
        tally.onStart(data);
        break;
      case "test:pass":
        tally.onVerdict(data, null);
        break;
      case "test:fail":
        tally.onVerdict(data, data.details.error);
        break;
      case "test:complete":
        if (isFile(data)) yield fileLine(data);
        break;
      case "test:stdout":
      case "test:stderr":
      case "test:diagnostic":
        if (data.file !== undefined) keepOutput(output, resolve(data.file), data.message);
        break;
      default:
    }
  }
  yield* report(tally, output);
  if (tally.failed > 0 || tally.passed === 0) process.exitCode = 1;
}
