// Imports a job's bundle, in the client and in slots. The bundle leaves `millrace` itself out, so that a job and the
// engine that runs it share one copy.
//
// A bundle is loaded under the URL of the job's own file, not under that of the file it lies in: `import.meta` then
// means what the user wrote, stacks name the job, and Node's compile cache finds an unchanged job again in the next
// run.

import { existsSync, readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isJob, type Job } from "../../api/job.ts";
import { EngineError, UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { describe } from "../../types/spec/describe.ts";

const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
/** Files of bundles by the URL under which they are loaded. */
const bundleFiles = new Map<string, string>();
let hooked = false;

/** Makes `import … from "millrace"` in bundles mean the engine that runs them. */
function resolveEngineImports(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      if (bundleFiles.has(specifier)) return { url: specifier, format: "module", shortCircuit: true };
      const url = engineUrl(specifier);
      return url === null ? next(specifier, context) : { url, shortCircuit: true };
    },
    load(url, context, next) {
      const file = bundleFiles.get(url);
      return file === undefined
        ? next(url, context)
        : { format: "module", source: readFileSync(file), shortCircuit: true };
    },
  });
}

/** The engine's module that an import means; null when there is none of that name. */
export function engineUrl(specifier: string): string | null {
  const path = enginePath(specifier);
  if (path === null) return null;
  const url = new URL(`../../${path}${EXTENSION}`, import.meta.url);
  return existsSync(url) ? url.href : null;
}

function enginePath(specifier: string): string | null {
  if (specifier === "millrace") return "index";
  if (specifier === "millrace/client") return "client/index";
  if (specifier === "millrace/testing") return "testing/index";
  const connector = /^millrace\/connectors\/([a-z0-9-]+)$/.exec(specifier)?.[1];
  return connector === undefined ? null : `connectors/${connector}/index`;
}

/** How a bundle in `file` of the module at `path` is called in job descriptors. */
export function bundleUrl(bundle: { readonly file: string; readonly path: string; readonly sha256: string }): string {
  const url = pathToFileURL(bundle.file);
  url.searchParams.set("module", loadedUrl(bundle));
  return url.href;
}

/** The URL under which it is loaded, as stacks name it. */
export function loadedUrl({ path, sha256 }: { readonly path: string; readonly sha256: string }): string {
  return `${pathToFileURL(path).href}?bundle=${sha256.slice(0, 12)}`;
}

/** The same bundle for another process that is played in this thread: its modules are evaluated anew. */
export function bundleAnew(bundle: string, start: number): string {
  const url = new URL(bundle);
  url.searchParams.set("module", `${url.searchParams.get("module")}&start=${start}`);
  return url.href;
}

let importing = 0;

/** Whether a job's module is being evaluated in this thread: what runs now may be its own top level. */
export function isLoadingJob(): boolean {
  return importing > 0;
}

/** Imports a bundle, or any other module by its URL. Throws MODULE_THREW and MODULE_EXPORT_MISSING. */
export async function bundleImport(bundle: string): Promise<{ readonly default?: unknown }> {
  resolveEngineImports();
  const url = new URL(bundle);
  const loaded = url.searchParams.get("module");
  if (loaded !== null) {
    url.search = "";
    bundleFiles.set(loaded, fileURLToPath(url));
  }
  importing += 1;
  try {
    return (await import(loaded ?? bundle)) as { default?: unknown };
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw (await exportMissing(error)) ?? moduleThrew(error);
  } finally {
    importing -= 1;
  }
}

export async function jobLoad(bundle: string | null): Promise<Job> {
  if (bundle === null) throw new UserError("JOB_BUNDLE_MISSING", "a slot thread needs the job as a bundle");
  const module = await bundleImport(bundle);
  if (isJob(module.default)) return module.default;
  const what = "default" in module ? `is ${describe(module.default)}` : "is missing";
  throw new UserError("JOB_NOT_EXPORTED", `the module's default export ${what}, not a job`, {
    fix: 'write: export default job({ name: "…" }, (env) => { … })',
  });
}

function moduleThrew(error: unknown): UserError {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new UserError("MODULE_THREW", `the module threw while it was loaded: ${message}`, {
    fix: "mend what stands outside of functions in the module and in what it imports",
    cause: error,
  });
}

/** Node's error for a name that the engine does not export, with the name that was meant. */
async function exportMissing(error: unknown): Promise<UserError | null> {
  if (!(error instanceof SyntaxError)) return null;
  const [, specifier, name] = /module '(.+)' does not provide an export named '(.+)'/.exec(error.message) ?? [];
  const url = specifier === undefined ? null : engineUrl(specifier);
  if (name === undefined || url === null) return null;
  const meant = nearest(name, Object.keys((await import(url)) as object));
  return new UserError("MODULE_EXPORT_MISSING", error.message, {
    fix:
      meant === null
        ? "look it up in the API reference; types are imported with `import type`"
        : `did you mean ${meant}?`,
    cause: error,
  });
}
