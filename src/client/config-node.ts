// Finds `millrace.config.*` and reads it. What it may say is known to config/.

import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { type SourceLocation, UserError } from "../base/errors.ts";
import { type ConfigLayer, layerCheck } from "../config/configuration.ts";
import { keyPlace } from "../config/key-place.ts";
import { bundleImport } from "../taskmanager/runner/job-load-node.ts";
import { moduleBundle } from "./bundle/bundle-node.ts";
import { fileText } from "./bundle/bundle-sources-node.ts";

const NAME = /^millrace\.config\.(ts|mjs|js|json)$/;

/** The layer of `file`, or of the nearest configuration file from `cwd` upwards; null when there is none. */
export async function configFileLayer(cwd: string, file: string | null): Promise<ConfigLayer | null> {
  const path = file === null ? configFileFind(cwd) : resolve(cwd, file);
  if (path === null) return null;
  const shown = relative(cwd, path);
  const values = path.endsWith(".json") ? await jsonValues(path, shown) : await moduleValues(path, shown, cwd);
  const layer: ConfigLayer = { origin: { kind: "file", path: shown }, values };
  layerCheck(layer, (key) => {
    const place = keyPlace(fileText(path) ?? "", key);
    return place === null ? null : { file: shown, ...place };
  });
  return layer;
}

function configFileFind(cwd: string): string | null {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const names = entries(folder).filter((name) => NAME.test(name));
    if (names.length > 1) {
      throw new UserError(
        "CONFIG_FILE_AMBIGUOUS",
        `${folder} has more than one configuration file: ${names.join(", ")}`,
        {
          fix: "keep one of them, or name it with --config",
        },
      );
    }
    if (names[0] !== undefined) return join(folder, names[0]);
    if (folder === dirname(folder)) return null;
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // A folder above that may not be listed holds no configuration for us.
  }
}

async function moduleValues(path: string, shown: string, cwd: string): Promise<unknown> {
  const bundle = await moduleBundle(path, { cwd, what: "configuration file" });
  try {
    const module = await bundleImport(bundle.url);
    if (module.default !== undefined) return module.default;
  } catch (error) {
    if (error instanceof UserError) error.location = bundle.sources.frames(deepestStack(error))[0];
    throw error;
  } finally {
    bundle.dispose();
  }
  throw new UserError("CONFIG_NOT_EXPORTED", `${shown} has no default export`, {
    fix: 'write: export default defineConfig({ "parallelism.default": 4 })',
    location: { file: shown, line: 1, column: 1 },
  });
}

async function jsonValues(path: string, shown: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new UserError(
      "CONFIG_FILE_UNREADABLE",
      `the configuration file ${shown} cannot be read: ${(cause as Error).message}`,
      {
        fix: "correct the path given with --config, or make the file readable",
        cause,
      },
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const { message } = error as Error;
    const location = jsonErrorPlace(message, text);
    throw new UserError("CONFIG_NOT_JSON", `${shown} is not JSON: ${message}`, {
      fix: "correct the file, or write it in TypeScript as millrace.config.ts",
      location: { file: shown, ...location },
    });
  }
}

/** V8 names the offset in most messages, but not where the text is cut off. */
function jsonErrorPlace(message: string, text: string): Omit<SourceLocation, "file"> {
  const offset = /at position (\d+)/.exec(message)?.[1];
  const before = text.slice(0, offset === undefined ? text.length : Number(offset)).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

function deepestStack(error: Error): string {
  let at = error;
  while (at.cause instanceof Error) at = at.cause;
  return at.stack ?? "";
}
