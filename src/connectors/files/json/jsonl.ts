// `jsonl(…)`: files with one JSON value a line.

import { checkedLayout } from "../../../types/schema-spec.ts";
import type { Type } from "../../../types/t.ts";
import { checkFileOptions, type FileOptions, type Files, fileConnector } from "../file-connector.ts";
import { jsonlEncoder } from "./json-encode.ts";
import { jsonlFormat } from "./jsonl-parser.ts";

/**
 * JSON Lines files. As a source: a path, a directory, a glob pattern or a list of them; records are checked against
 * `type`, without it each line is an object with whatever fields it has. As a sink: a directory that part files are
 * written to.
 */
export function jsonl<T = Record<string, unknown>>(
  paths: string | readonly string[],
  options?: FileOptions & { readonly type?: Type<T> },
): Files<T>;
export function jsonl<T>(
  paths: string | readonly string[],
  options: FileOptions & { readonly type?: Type<T> } = {},
): Files<T | Record<string, unknown>> {
  checkFileOptions("jsonl", options);
  const spec = options.type === undefined ? null : checkedLayout(options.type, "the type of jsonl");
  return fileConnector(paths, options, {
    kind: "jsonl",
    type: spec,
    format: () => jsonlFormat(spec),
    encoder: () => jsonlEncoder,
  });
}
