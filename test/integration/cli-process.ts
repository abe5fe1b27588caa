// Runs the command line as users do: a process of its own, with its streams.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
export const FIXTURES = resolve(import.meta.dirname, "fixtures/cli");

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Runs as this user; only root may say so. */
  readonly uid?: number;
  /** A command that runs it, and becomes its process. */
  readonly under?: readonly string[];
};

export class CliProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], { cwd = FIXTURES, environment = {}, uid, under = [] }: RunOptions = {}) {
    const [command = "", ...given] = [...under, process.execPath, resolve(ROOT, "bin/millrace.js"), ...args];
    this.child = spawn(command, given, {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      ...(uid !== undefined && { uid, gid: uid }),
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.child, "close").then(([code]) => {
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr };
    });
  }

  /** Resolves once standard output holds the text. */
  printed(text: string): Promise<void> {
    return this.#holds("stdout", text);
  }

  /** Resolves once standard error holds the text so many times. */
  noted(text: string, times = 1): Promise<void> {
    return this.#holds("stderr", text, times);
  }

  async #holds(stream: "stdout" | "stderr", text: string, times = 1): Promise<void> {
    const holds = (): boolean => this[stream].split(text).length > times;
    while (!holds()) {
      await Promise.race([once(this.child[stream] ?? this.child, "data"), this.ended]);
      if (this.child.exitCode !== null && !holds()) throw new Error(`ended without "${text}"\n${this.stderr}`);
    }
  }
}

export function millrace(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return new CliProcess(args, options).ended;
}
