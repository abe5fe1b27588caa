#!/usr/bin/env node
// Plain JavaScript without modern syntax on purpose: an old Node must be able to read far enough to say what is wrong.
import { existsSync } from "node:fs";
import module from "node:module";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.exitCode = 2;
  process.stderr.write(
    "✗ MILLRACE_NODE_VERSION  millrace needs Node 24 or newer; " +
      `this is Node ${process.versions.node} (${process.execPath})\n` +
      "  fix  install it from https://nodejs.org, with `nvm install 24`, or per project with\n" +
      "       `npm install --save-dev node@24`, and start through an npm script or `npx millrace`:\n" +
      "       these use the project's own Node.\n",
  );
} else {
  module.enableCompileCache(); // Twice as fast to start, from the second time on.
  // A checkout runs its TypeScript sources as they are; the published package holds only `dist`. An error ends the
  // process.
  const source = new URL("../src/cli/main.ts", import.meta.url);
  void import(existsSync(source) ? source.href : new URL("../dist/cli/main.js", import.meta.url).href);
}
