// Loaded before each test file (package.json), ahead of all else: what makes a process of tests cheap.
//
// - Modules come from Node's compile cache, as those of `millrace` do, here and in each process that a test starts:
//   without it each strips and compiles the sources anew, half a second of work.
// - The runner of `node:test` follows each asynchronous resource from its making to its end, to say in which test a
//   late error was thrown. In simulations promises are left out: they make millions, and to follow these took a quarter
//   of the time. An error that nobody waits for still fails the file, if not by the name of a test.

import asyncHooks from "node:async_hooks";
import { enableCompileCache, syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "node-compile-cache"); // Where `millrace` has its own, too.
enableCompileCache();

if (/[\\/]simulation[\\/]/.test(process.argv[1] ?? "")) {
  const { createHook } = asyncHooks;
  asyncHooks.createHook = (callbacks) => createHook({ ...callbacks, trackPromises: false });
  syncBuiltinESMExports();
}
