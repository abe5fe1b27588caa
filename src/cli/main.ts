// The command line's entry point; `bin/millrace.js` loads it.

import { readFileSync } from "node:fs";

const HELP = `millrace: stateful stream and batch processing on Node.js

usage  millrace <command> [options]

  --help     this text
  --version  the version
`;

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

const [argument] = process.argv.slice(2);
if (argument === "--version") {
  console.log(version());
} else if (argument === "--help" || argument === undefined) {
  console.log(HELP);
} else {
  process.stderr.write(`✗ CLI_UNKNOWN_COMMAND  no such command: ${argument}\n  fix  see millrace --help\n`);
  process.exitCode = 2;
}
