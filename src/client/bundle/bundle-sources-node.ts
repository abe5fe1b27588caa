// From positions in a job's bundle back to the user's files, by the bundle's source map.
//
// Owns: the parsed map (made at the first question: parsing takes longer than bundling, and a job that runs well never
// asks).
//
//   S1. Positions of the bundle name the job's own file by its absolute path or URL (job-load-node.ts); answers name
//       files relative to the working directory. What is relative already is an answer and passes through, so that
//       mapping twice does no harm.

import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { resolve } from "node:path";
import type { SourceLocation } from "../../base/errors.ts";

export type BundleSourcesOptions = {
  /** Texts that stand for the bundle in stacks and locations: its URL and the absolute path of the job's file. */
  readonly names: readonly string[];
  /** JSON of the source map; its sources are relative to `cwd`. */
  readonly map: string;
  readonly cwd: string;
};

const INDENT_MAX = 200;

export class BundleSources {
  readonly #options: BundleSourcesOptions;
  readonly #pattern: RegExp;
  #payload: SourceMapPayload | null = null;
  #map: SourceMap | null = null;

  constructor(options: BundleSourcesOptions) {
    this.#options = options;
    this.#pattern = new RegExp(
      `(?:${options.names.map((name) => RegExp.escape(name)).join("|")}):(\\d+)(?::(\\d+))?`,
      "g",
    );
  }

  /** Where in the user's files it is; the location itself when it is not in the bundle. */
  locate(location: SourceLocation): SourceLocation {
    return this.#options.names.includes(location.file)
      ? (this.#origin(location.line, location.column) ?? location)
      : location;
  }

  /** The text with every position of the bundle in it replaced. */
  mapText(text: string): string {
    return text.replace(this.#pattern, (position, line: string, column: string | undefined) => {
      const origin = this.#origin(Number(line), column === undefined ? null : Number(column));
      return origin === null ? position : `${origin.file}:${origin.line}:${origin.column}`;
    });
  }

  /**
   * Places in the user's own files that a stack passes through, innermost first; in those of packages, when there are
   * no others.
   */
  frames(stack: string): readonly SourceLocation[] {
    const frames: SourceLocation[] = [];
    for (const [, line, column] of stack.matchAll(this.#pattern)) {
      const origin = this.#origin(Number(line), column === undefined ? null : Number(column));
      if (origin !== null) frames.push(origin);
    }
    const own = frames.filter(({ file }) => !/(^|[\\/])node_modules[\\/]/.test(file));
    return own.length > 0 ? own : frames;
  }

  /** The file as it was bundled, or else as it is now; null when it cannot be had. */
  text(file: string): string | null {
    const index = this.#payload?.sources.indexOf(file) ?? -1;
    return this.#payload?.sourcesContent[index] ?? fileText(resolve(this.#options.cwd, file));
  }

  /** `column` null: the first place of the line that the map knows. */
  #origin(line: number, column: number | null): SourceLocation | null {
    if (this.#map === null) {
      this.#payload = JSON.parse(this.#options.map) as SourceMapPayload;
      this.#map = new SourceMap(this.#payload);
    }
    const origin = this.#map.findOrigin(line, column ?? firstColumn(this.#map, line));
    return "fileName" in origin && origin.fileName !== undefined
      ? { file: origin.fileName, line: origin.lineNumber, column: origin.columnNumber }
      : null;
  }
}

function firstColumn(map: SourceMap, line: number): number {
  for (let column = 1; column <= INDENT_MAX; column += 1) {
    const entry = map.findEntry(line - 1, column - 1);
    if ("generatedLine" in entry && entry.generatedLine === line - 1) return column;
  }
  return 1;
}

export function fileText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null; // Gone or unreadable: the frame is left out.
  }
}
