// Gives the CommonJS modules of packages their `__dirname` and `__filename`, which a bundle in ESM has not.
//
//   D1. The paths are reckoned from the job file's directory when the bundle is loaded: where job and packages lie
//       together on the disk does not change the bundle. Only packages that ask for their place are concerned.

import { readFile } from "node:fs/promises";
import { dirname, relative, sep } from "node:path";
import type { Plugin } from "esbuild";

/** What the bundle has to define, for `packagePaths`. */
export const JOB_DIRECTORY = "const __millraceDirectory = import.meta.dirname;";

const HASHBANG = /^#!/;
const STRICT = /^(?:\s|\/\/.*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*(["'])use strict\1/;
/** As far as a module's text tells: what has imports, exports or import.meta is none of CommonJS. */
const ESM = /^[ \t]*(?:import\b\s*[\w{*"']|export\b\s*[\w{*])|\bimport\.meta\b/m;

/** `directory`: of the job file. */
export function packagePaths(directory: string): Plugin {
  return {
    name: "millrace-package-paths",
    setup(plugin) {
      plugin.onLoad({ filter: /[\\/]node_modules[\\/].*\.c?js$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        if (!/__(?:dirname|filename)\b/.test(text) || (ESM.test(text) && !path.endsWith(".cjs"))) return null;
        return { contents: withPaths(text, relative(directory, path)), loader: "js" };
      });
    },
  };
}

/** A module that declares the name itself keeps its own. */
function asksFor(text: string, name: string): boolean {
  return text.includes(name) && !new RegExp(`\\b(?:const|let|class|function)\\s+${name}\\b`).test(text);
}

/** In the first line, so that all others keep their numbers. */
function withPaths(text: string, path: string): string {
  const place = (part: string): string =>
    `require("node:path").join(__millraceDirectory, ${JSON.stringify(part.split(sep).join("/"))})`;
  const body = text.replace(HASHBANG, "//");
  const strict = STRICT.test(body) ? '"use strict"; ' : "";
  const file = asksFor(text, "__filename") ? `var __filename = ${place(path)}; ` : "";
  const folder = asksFor(text, "__dirname") ? `var __dirname = ${place(dirname(path))}; ` : "";
  return `${strict}${file}${folder}${body}`;
}
