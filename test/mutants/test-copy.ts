// A copy of the repository, in which mistakes are planted and test files run. Never the working copy: who works in it
// may save, commit or run it meanwhile.

import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ROOT, repoFiles } from "../tidy/repo-files.ts";

/** How a test file ended: `text` is the end of what it wrote. */
export type TestRun = {
  readonly verdict: "passed" | "failed" | "hung";
  readonly seconds: number;
  readonly text: string;
};

const TEXT_MAX = 40_000;

export class TestCopy {
  readonly #folder = mkdtempSync(join(tmpdir(), "millrace-mutants-"));

  constructor() {
    for (const path of repoFiles(/^(?!node_modules$)/)) {
      mkdirSync(dirname(join(this.#folder, path)), { recursive: true });
      cpSync(join(ROOT, path), join(this.#folder, path));
    }
    symlinkSync(join(ROOT, "node_modules"), join(this.#folder, "node_modules"));
  }

  /** Changes a file for as long as `run` takes. */
  async changed<T>(path: string, text: string, run: () => Promise<T>): Promise<T> {
    const file = join(this.#folder, path);
    const before = readFileSync(file);
    writeFileSync(file, text);
    try {
      return await run();
    } finally {
      writeFileSync(file, before);
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** One test file, as `npm run test:files` runs it, but killed with all that it has started after `limitSeconds`. */
  run(test: string, limitSeconds: number): Promise<TestRun> {
    const before = ["--import=./test/test-process.ts", "--import=./test/property-seed.ts"];
    return this.script([...before, "--test-reporter=spec", test], limitSeconds);
  }

  /** The same of a script with arguments. */
  script(args: readonly string[], limitSeconds: number): Promise<TestRun> {
    const startMs = performance.now();
    const child = spawn(process.execPath, ["--conditions=millrace-source", ...args], {
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (more: string) => {
        text = (text + more).slice(-TEXT_MAX);
      });
    const end = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The whole group has ended.
      }
    };
    return new Promise((resolve) => {
      let hung = false;
      const limit = setTimeout(() => {
        hung = true;
        end();
      }, limitSeconds * 1_000);
      child.once("exit", (code) => {
        clearTimeout(limit);
        end(); // What it has left running.
        const verdict = hung ? "hung" : code === 0 ? "passed" : "failed";
        resolve({ verdict, seconds: (performance.now() - startMs) / 1_000, text });
      });
    });
  }
}
