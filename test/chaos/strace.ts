// System calls of a process that fail, come late or are its last: by strace, a Debian package, from outside.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export type Tampering = {
  /** Names of system calls, with commas between them. */
  readonly calls: string;
  /** As `-e inject=` has it: "signal=KILL" (the call is not made), "error=EIO", "delay_enter=300000" (in µs). */
  readonly effect: string;
  /** What calls are about, absolute: the first of two names, or that of the file that is open. */
  readonly paths: readonly string[];
  /** Which of these calls of each thread: "1+" for all. */
  readonly when: string;
};

const POLL_MS = 20;

/** Throws where it is missing, or may not look at processes: a campaign without it would not try what it says. */
export function straceRequire(): void {
  const { error, status, stderr } = spawnSync("strace", ["-o", "/dev/null", "true"], { encoding: "utf8" });
  if (error !== undefined) throw new Error("strace is missing, by which disks fail: apt-get install strace");
  if (status !== 0) throw new Error(`strace cannot be used here: ${stderr}`);
}

/** What a command is begun with, to be tampered with from its first call on: its process is that of the command. */
export function straceCommand(tampering: Tampering, log: string): string[] {
  rmSync(log, { force: true });
  // Can be told to let go. Not with the filter of the kernel: signals are lost by it (strace 6.1).
  return ["strace", "-D", "-I", "waiting", ...straceArguments(tampering, log)];
}

/** Nobody tampers with the process any more: another may. */
export async function straceLetsGo(pid: number): Promise<void> {
  for (let tracer = tracerOf(pid); tracer > 0; tracer = tracerOf(pid)) {
    process.kill(tracer, "SIGINT");
    await delay(POLL_MS);
  }
}

/** 0: nobody. */
function tracerOf(pid: number): number {
  try {
    return Number(/^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** What has come about, as strace has written it down. */
export function straceHits(log: string): number {
  try {
    return readFileSync(log, "utf8").match(/\((?:INJECTED|DELAYED)\)/g)?.length ?? 0;
  } catch {
    return 0;
  }
}

/** Of a process that runs, until it is detached. */
export class Strace {
  readonly #log: string;
  readonly #child: ChildProcess;
  #stderr = "";

  private constructor(pid: number, tampering: Tampering, log: string) {
    this.#log = log;
    rmSync(log, { force: true });
    const args = [...straceArguments(tampering, log), "-p", String(pid)];
    this.#child = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
  }

  /** Resolves when it is attached, or the process has ended. */
  static async attach(pid: number, tampering: Tampering, log: string): Promise<Strace> {
    const strace = new Strace(pid, tampering, log);
    while (!strace.#stderr.includes("attached") && strace.#isRunning) await delay(POLL_MS);
    if (!strace.#stderr.includes("attached") && !/No such process/.test(strace.#stderr))
      throw new Error(strace.#stderr);
    return strace;
  }

  get hits(): number {
    return straceHits(this.#log);
  }

  get #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async detach(): Promise<void> {
    if (!this.#isRunning) return;
    const ended = once(this.#child, "close");
    this.#child.kill("SIGINT");
    await ended;
  }
}

function straceArguments({ calls, effect, paths, when }: Tampering, log: string): string[] {
  const about = paths.flatMap((path) => ["-P", path]);
  const rule = `inject=${calls}:${effect}:when=${when}`;
  return ["-f", "-o", log, ...about, "-e", `trace=${calls}`, "-e", "signal=none", "-e", rule];
}
