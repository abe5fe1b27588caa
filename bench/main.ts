// `npm run bench [-- name…] [--json] [--runs n]`: runs the named cases (all by default), each in a process of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { CASE_NAMES } from "./case-names.ts";
import { type CaseResult, caseText } from "./result.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean" }, runs: { type: "string" }, help: { type: "boolean" } },
});

if (values.help) {
  process.stdout.write(`npm run bench [-- name…] [--json] [--runs n]\ncases: ${CASE_NAMES.join(", ")}\n`);
  process.exit(0);
}
const unknown = positionals.find((name) => !CASE_NAMES.includes(name));
if (unknown !== undefined) {
  process.stderr.write(`no case "${unknown}"; there are: ${CASE_NAMES.join(", ")}\n`);
  process.exit(2);
}

let failed = false;
for (const name of positionals.length > 0 ? positionals : CASE_NAMES) {
  const result = await runCase(name, values.runs ?? "5");
  if (result === null) failed = true;
  else process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `${caseText(result)}\n`);
}
process.exitCode = failed ? 1 : 0;

/** The last line a case prints is its result; whatever it says before goes to stderr. */
async function runCase(name: string, runs: string): Promise<CaseResult | null> {
  const script = new URL(`./cases/${name}.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, ["--conditions=millrace-source", "--expose-gc", script, runs], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  const lines = output.trimEnd().split("\n");
  const last = lines.pop() ?? "";
  for (const line of lines) process.stderr.write(`${line}\n`);
  if (code !== 0 || !last.startsWith("{")) {
    process.stderr.write(`case ${name} failed (exit code ${code})\n`);
    return null;
  }
  return JSON.parse(last) as CaseResult;
}
