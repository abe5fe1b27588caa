// A process that starts, loads 1 GiB of managed state from a checkpoint, and gives its first answer from it; beside dd,
// which reads as much from the same disk.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkpoint, dd, KEYS, largeState, storageIn } from "../large-state.ts";
import { type Measured, median, report, resultOf } from "../result.ts";
import { runsWanted, WORKER_ARGS } from "../run-job.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
{
  const state = largeState();
  for (let key = 0; key < KEYS; key += 1) state.touch(key);
  const { states, files } = await checkpoint(storageIn(directory), state, 1, () => undefined);
  writeFileSync(join(directory, "state.json"), JSON.stringify({ state: states[0]!.state, files }));
}
dd("if=/dev/zero", `of=${join(directory, "dd")}`, "bs=1M", "count=1024", "conv=fsync");
const script = fileURLToPath(new URL("../jobs/restore-large.ts", import.meta.url));
const seconds: number[] = [];
const ddSeconds: number[] = [];
const runs: Measured[] = [];
for (let run = 0; run < runsWanted(); run += 1) {
  ddSeconds.push(dd(`if=${join(directory, "dd")}`, "of=/dev/null", "bs=1M"));
  const startedMs = performance.now();
  const child = spawnSync(process.execPath, [...WORKER_ARGS, script, directory], { encoding: "utf8" });
  if (child.status !== 0) throw new Error(child.stderr);
  const wallSeconds = (performance.now() - startedMs) / 1_000;
  seconds.push(wallSeconds);
  runs.push({ events: KEYS, wallSeconds, cpuSeconds: Number(child.stdout) });
}
report(resultOf("restore-1g", runs, { seconds: median(seconds), ddSeconds: median(ddSeconds) }));
