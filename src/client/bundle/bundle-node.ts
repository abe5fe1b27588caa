// Bundles a job (or a configuration file) into one module: everything it imports except the engine and Node itself.
//
// Owns: the run's temporary directory, in which the bundle lies under the hash of its content until `dispose`.
//
//   B1. The same sources give the same bytes in every process: the hash is the job's identity.
//   B2. The directory is removed however the process ends, short of being killed; then a later run removes it.

import { createHash } from "node:crypto";
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { BuildFailure, BuildOptions, Message, OutputFile, PartialMessage, Plugin } from "esbuild";
import { assert, ExternalError, type SourceLocation, UserError } from "../../base/errors.ts";
import { bundleUrl, engineUrl, loadedUrl } from "../../taskmanager/runner/job-load-node.ts";
import { BundleSources } from "./bundle-sources-node.ts";
import { JOB_DIRECTORY, packagePaths } from "./package-paths-node.ts";

export type Bundle = {
  /** For `bundleImport` and job descriptors. */
  readonly url: string;
  /** Of its content, hex. */
  readonly sha256: string;
  readonly sources: BundleSources;
  /** What looks like a mistake but is none for certain. */
  readonly warnings: readonly UserError[];
  dispose(): void;
};

export type BundleOptions = {
  readonly cwd: string;
  /** "job file", for messages. */
  readonly what: string;
};

const ERRORS_MAX = 5;
/** Directories of killed runs that one run removes: it must not take long. */
const SWEPT_MAX = 16;
/** Packages in CommonJS call `require` for Node's own modules; a bundle in ESM has none of its own. */
const REQUIRE =
  'import { createRequire as __millraceRequire } from "node:module"; const require = __millraceRequire(import.meta.url);';

/** Throws a UserError, or an AggregateError of several, with places in the user's files. */
export async function moduleBundle(file: string, options: BundleOptions): Promise<Bundle> {
  const { cwd } = options;
  const path = resolve(cwd, file);
  checkFile(path, file, options);
  const { outputs, warnings } = await build(buildOptions(path, cwd));
  const [map, code] = ["map", "mjs"].map((ending) => outputs.find((output) => output.path.endsWith(ending)));
  assert(code !== undefined && map !== undefined, "esbuild gave a bundle and its map");
  const sha256 = createHash("sha256").update(code.contents).digest("hex");
  const { file: stored, dispose } = store(sha256, code, map);
  const names = [loadedUrl({ path, sha256 }), path];
  return {
    url: bundleUrl({ file: stored, path, sha256 }),
    sha256,
    sources: new BundleSources({ names, map: map.text, cwd }),
    warnings: warnings
      .filter(({ location }) => !/\bnode_modules\b/.test(location?.file ?? ""))
      .map((warning) => messageError(warning, "MODULE_SUSPICIOUS")),
    dispose,
  };
}

/**
 * Calls `onBuilt` once the module has been bundled, and again whenever that was done anew because something had changed
 * that the bundle is made of, or that it lacked; with or without success. Gives what ends the watching. Throws for a
 * file that cannot be the module.
 */
export async function moduleWatch(
  file: string,
  { onBuilt, ...options }: BundleOptions & { readonly onBuilt: () => void },
): Promise<() => Promise<void>> {
  const path = resolve(options.cwd, file);
  checkFile(path, file, options);
  const watched = buildOptions(path, options.cwd);
  const told: Plugin = { name: "millrace-watch", setup: (plugin) => plugin.onEnd(onBuilt) };
  try {
    const esbuild = await import("esbuild");
    const context = await esbuild.context({ ...watched, plugins: [...(watched.plugins ?? []), told] });
    await context.watch();
    return () => context.dispose();
  } catch (error) {
    throw bundlerFailure(error);
  }
}

function buildOptions(path: string, cwd: string): BuildOptions {
  return {
    entryPoints: [path],
    absWorkingDir: cwd,
    outfile: join(cwd, "millrace-bundle.mjs"), // Not written: sources in the map are relative to where it would lie.
    plugins: [importChecks, nativeAddons(dirname(path)), packagePaths(dirname(path))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: `node${process.versions.node}`,
    sourcemap: "external",
    banner: { js: `${REQUIRE} ${JOB_DIRECTORY}` },
    logLevel: "silent",
  };
}

async function build(
  options: BuildOptions,
): Promise<{ readonly outputs: readonly OutputFile[]; readonly warnings: readonly Message[] }> {
  try {
    const esbuild = await import("esbuild");
    const { outputFiles, warnings } = await esbuild.build(options);
    return { outputs: outputFiles ?? [], warnings };
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw bundlerFailure(error);
    const failures = errors.slice(0, ERRORS_MAX).map((failure) => messageError(failure, "MODULE_DOES_NOT_PARSE"));
    if (failures.length === 1) throw failures[0];
    throw new AggregateError(failures, `${errors.length} errors`);
  }
}

function bundlerFailure(cause: unknown): ExternalError {
  return new ExternalError("BUNDLER_FAILED", `esbuild cannot run: ${(cause as Error).message}`, {
    fix: "install the packages again for this machine, with optional ones: npm ci",
    cause,
  });
}

function checkFile(path: string, file: string, { what, cwd }: BundleOptions): void {
  const kind = statSync(path, { throwIfNoEntry: false });
  if (kind === undefined) {
    const where = isAbsolute(file) ? "" : `; it was looked up in ${cwd}`;
    throw new UserError("MODULE_FILE_MISSING", `there is no ${what} ${file}`, { fix: `check the path${where}` });
  }
  try {
    if (!kind.isFile()) throw new Error("it is not a file");
    accessSync(path, constants.R_OK);
  } catch (cause) {
    throw new UserError("MODULE_FILE_UNREADABLE", `the ${what} ${file} cannot be read: ${(cause as Error).message}`, {
      fix: "give the path of a readable TypeScript or JavaScript file",
      cause,
    });
  }
  if (!/\.[cm]?[jt]sx?$/.test(path)) {
    throw new UserError("MODULE_FILE_KIND", `the ${what} ${file} is no TypeScript or JavaScript file`, {
      fix: "give the file that exports the job, for example job.ts; the data that it reads are its own business",
    });
  }
}

function store(sha256: string, code: OutputFile, map: OutputFile): { file: string; dispose: () => void } {
  sweepKilled();
  const directory = mkdtempSync(join(tmpdir(), `millrace-${process.pid}-`));
  stored.add(directory);
  if (stored.size === 1) process.on("exit", removeStored);
  const file = join(directory, `${sha256}.mjs`);
  writeFileSync(file, code.contents);
  writeFileSync(`${file}.map`, map.contents);
  return {
    file,
    dispose: () => {
      removeDirectory(directory);
      stored.delete(directory);
      if (stored.size === 0) process.off("exit", removeStored);
    },
  };
}

/** Directories of this process. One listener for all: a program may run many jobs. */
const stored = new Set<string>();

function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

function removeStored(): void {
  for (const directory of stored) removeDirectory(directory);
}

/** Removes what runs left behind that were killed, or ended before they listened for signals (B2). */
function sweepKilled(): void {
  let swept = 0;
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = /^millrace-(\d+)-\w{6}$/.exec(name) ?? [];
    if (pid === undefined || isRunning(Number(pid))) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      continue; // Another user's: theirs to remove.
    }
    swept += 1;
    if (swept === SWEPT_MAX) return;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Keeps the engine out of the bundle, and refuses early what could only fail in a slot. */
const importChecks: Plugin = {
  name: "millrace",
  setup(plugin) {
    plugin.onResolve({ filter: /^millrace(\/|$)/ }, ({ path }) => {
      if (engineUrl(path) !== null) return { path, external: true };
      const fix = 'import from "millrace", "millrace/client", "millrace/testing" or "millrace/connectors/…"';
      return refusal({ code: "MODULE_IMPORT_UNRESOLVED", text: `there is no module "${path}"`, fix });
    });
  },
};

/**
 * Native addons stay where they are: a package that requires one finds it beside the job, whatever directory it was
 * bundled in. One for another machine is not there, and is not asked for either.
 */
function nativeAddons(directory: string): Plugin {
  return {
    name: "millrace-native-addons",
    setup(plugin) {
      plugin.onResolve({ filter: /\.node$/ }, ({ path, kind, resolveDir }) => {
        if (kind === "require-call" || kind === "require-resolve") {
          return { path: addonPath(path, { from: resolveDir, directory }), external: true };
        }
        const fix =
          'load it with require: import { createRequire } from "node:module"; createRequire(import.meta.url)(…)';
        const text = `the native addon "${path}" cannot be imported: Node loads addons with require alone`;
        return refusal({ code: "MODULE_NATIVE_ADDON", text, fix });
      });
    },
  };
}

function addonPath(path: string, { from, directory }: { readonly from: string; readonly directory: string }): string {
  try {
    const found = relative(directory, createRequire(join(from, "from.js")).resolve(path))
      .split(sep)
      .join("/");
    return found.startsWith(".") ? found : `./${found}`;
  } catch {
    return path;
  }
}

type Refusal = { readonly code: string; readonly text: string; readonly fix: string };

/** esbuild hands `detail` back with the message it makes of the error. */
function refusal(detail: Refusal): { errors: PartialMessage[] } {
  return { errors: [{ text: detail.text, detail }] };
}

/** `kind`: the code of what is neither ours nor an import. */
function messageError(message: Message, kind: string): UserError {
  const { text } = message;
  const location = messageLocation(message);
  const { code, fix } = (message.detail as Refusal | undefined) ?? {
    code: text.startsWith("Could not resolve") ? "MODULE_IMPORT_UNRESOLVED" : kind,
    fix: messageFix(message),
  };
  return new UserError(code, text, { fix, ...(location !== null && { location }) });
}

function messageFix({ text, location, notes }: Message): string {
  if (text.startsWith("Could not resolve")) return "correct the path, or install the package";
  const hint = notes.map((note) => note.text).join(" ");
  if (hint !== "") return hint;
  return location?.suggestion
    ? `write ${JSON.stringify(location.suggestion)}`
    : "correct the syntax at the place shown";
}

/** esbuild counts columns in bytes, from 0. */
function messageLocation({ location }: Message): SourceLocation | null {
  if (location === null) return null;
  const before = Buffer.from(location.lineText).subarray(0, location.column).toString();
  return { file: location.file, line: location.line, column: before.length + 1 };
}
