// Locks between processes, as files: one process at a time holds a path.
//
//   <path>.<pid>-<random>      who holds it, or tries to: {"holder", "host", "pid", "since", "machine", …}
//
// Who wants the lock makes a file of a name that nobody else uses, and then looks for other files. Alone, it holds the
// lock; with others of the living, it takes its file away again. Two that begin at once may see each other and both
// step back: then both try again, after different times.
//
//   L1. Of two that hold, the one that made its file later would have seen the other's: there is one holder.
//   L2. The file of a process that has ended is removed by whoever sees it. Names are used once, so that this can hit
//       nobody else, and a lock outlives no `kill -9`.
//      What cannot be read is somebody's: it holds as well.
//   L3. A process is told by its start as well as by its number, in its own namespace and boot of its machine. Of one
//       that cannot be seen from here (on another machine, in another container) nobody can say that it has ended: its
//       lock holds until somebody removes the file.

import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import type { LockAttempt, LockHolder } from "../base/disk.ts";
import { ExternalError } from "../base/errors.ts";

/** Where a process is, and which of those that had its number it is. Null: this system does not tell. */
type Place = {
  /** A hash for the machine, kept when it starts again: the number itself is nothing for users' directories. */
  readonly machine: string | null;
  /** A hash as well. */
  readonly boot: string | null;
  /** Of process numbers: each container has its own. */
  readonly namespace: string | null;
  /** Of the process, in ticks since the boot. */
  readonly start: string | null;
};

type LockFile = Place & Pick<LockHolder, "holder" | "host" | "pid" | "since">;

const TRIES = 10;
const PAUSE_MS = 50;

/** `pause`: between two tries. */
export async function lockTry(path: string, holder: string, pause = randomPause): Promise<LockAttempt> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.`;
  const name = `${prefix}${process.pid}-${randomBytes(6).toString("hex")}`;
  const file = join(directory, name);
  const content: LockFile = {
    holder,
    host: hostname(),
    pid: process.pid,
    since: new Date().toISOString(),
    ...(await placeOf()),
  };
  let other: LockHolder | null = null;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (attempt > 0) await pause();
    await fs.writeFile(file, `${JSON.stringify(content)}\n`, { flag: "wx" });
    const names = (await fs.readdir(directory)).filter((found) => found.startsWith(prefix));
    other = await livingOther(directory, names, { own: name, isLast: attempt === TRIES - 1 });
    if (other === null && names.includes(name)) return { kind: "locked", release: () => fs.rm(file, { force: true }) };
    await fs.rm(file, { force: true });
  }
  if (other !== null) return { kind: "held", by: other };
  throw new ExternalError("DISK_IO", `cannot lock ${path}: somebody removes its files`, {
    fix: "let only one job write there, and no other program clean up",
  });
}

/** L2 */
async function livingOther(
  directory: string,
  names: readonly string[],
  { own, isLast }: { own: string; isLast: boolean },
): Promise<LockHolder | null> {
  let living: LockHolder | null = null;
  for (const name of names) {
    const file = join(directory, name);
    const found = name === own ? "gone" : await lockRead(file);
    if (found === "gone") continue;
    const state = typeof found === "object" ? await stateOf(found) : stateUntold(found, isLast);
    if (state === "dead") await fs.rm(file, { force: true });
    else living = holderOf(found, file, state === "alive");
  }
  return living;
}

/** Who makes a file writes it at once: one without content belongs to nobody any more, unless it is quite new. */
function stateUntold(found: "empty" | "unreadable", isLast: boolean): "alive" | "dead" | "unknown" {
  if (found === "unreadable") return "unknown";
  return isLast ? "dead" : "alive";
}

function holderOf(found: LockFile | "empty" | "unreadable", file: string, isCertain: boolean): LockHolder {
  if (typeof found === "string") return { holder: "?", host: "?", pid: 0, since: "?", file, isCertain };
  const { holder, host, pid, since } = found;
  return { holder, host, pid, since, file, isCertain };
}

async function lockRead(file: string): Promise<LockFile | "gone" | "empty" | "unreadable"> {
  try {
    const found: unknown = JSON.parse(await fs.readFile(file, "utf8"));
    return typeof found === "object" && found !== null ? (found as LockFile) : "unreadable";
  } catch (error) {
    if (error instanceof SyntaxError) return "empty";
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "gone" : "unreadable";
  }
}

/** L3 */
async function stateOf(found: LockFile): Promise<"alive" | "dead" | "unknown"> {
  const here = await placeOf();
  if (found.boot !== here.boot) return found.machine !== null && found.machine === here.machine ? "dead" : "unknown";
  if (found.namespace !== here.namespace || (found.boot === null && found.host !== hostname())) return "unknown";
  if (found.start === null) return isRunning(found.pid) ? "alive" : "dead";
  const start = await startOf(found.pid);
  if (start === null && isRunning(found.pid)) return "unknown"; // Another user's, and this system hides those.
  return start === found.start ? "alive" : "dead";
}

async function placeOf(): Promise<Place> {
  const [machine, boot, namespace, start] = await Promise.all([
    hashOf("/etc/machine-id"),
    hashOf("/proc/sys/kernel/random/boot_id"),
    fs.readlink("/proc/self/ns/pid").catch(() => null),
    startOf("self"),
  ]);
  return { machine, boot, namespace, start };
}

async function hashOf(file: string): Promise<string | null> {
  const text = await textOf(file);
  return text ? createHash("sha256").update(`millrace lock ${text}`).digest("hex").slice(0, 32) : null;
}

/** When a process began; null when there is none to be seen. */
async function startOf(pid: number | "self"): Promise<string | null> {
  const stat = await textOf(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // Behind the name, which may hold anything: the state, then numbers, of which the nineteenth is the start.
  const [state, ...numbers] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (state === "Z" || state === "X") return "ended"; // Killed, and nobody has asked what became of it.
  return numbers[18] ?? null;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Null when there is no such file, or none that may be read. */
async function textOf(file: string): Promise<string | null> {
  try {
    return (await fs.readFile(file, "utf8")).trim();
  } catch {
    return null;
  }
}

function randomPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS * (0.5 + Math.random())));
}
