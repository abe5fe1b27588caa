// Imports a job's bundle. The bundle leaves `millrace` itself out, so that a job and the engine that runs it share one copy.

import { registerHooks } from "node:module";
import { UserError } from "../base/errors.ts";
import { isJob, type Job } from "../api/job.ts";

const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
let hooked = false;

/** Makes `import … from "millrace"` in bundles mean the engine that runs them. */
export function resolveEngineImports(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      const url = engineUrl(specifier);
      return url === null ? next(specifier, context) : { url, shortCircuit: true };
    },
  });
}

function engineUrl(specifier: string): string | null {
  if (specifier === "millrace") return new URL(`../index${EXTENSION}`, import.meta.url).href;
  if (specifier === "millrace/testing") return new URL(`../testing/index${EXTENSION}`, import.meta.url).href;
  const connector = /^millrace\/connectors\/([a-z0-9-]+)$/.exec(specifier)?.[1];
  return connector === undefined ? null : new URL(`../connectors/${connector}/index${EXTENSION}`, import.meta.url).href;
}

export async function jobLoad(bundle: string | null): Promise<Job> {
  if (bundle === null) throw new UserError("JOB_BUNDLE_MISSING", "a slot thread needs the job as a bundle");
  resolveEngineImports();
  const module = (await import(bundle)) as { default?: unknown };
  if (!isJob(module.default)) {
    throw new UserError("JOB_NOT_EXPORTED", "the module has no job as its default export", {
      fix: 'write: export default job({ name: "…" }, (env) => { … })',
    });
  }
  return module.default;
}
