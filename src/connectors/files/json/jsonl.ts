// `jsonl(…)`: files with one JSON value a line.

import { FLAG } from "../../../types/check-options.ts";
import { checkedLayout } from "../../../types/spec/schema-spec.ts";
import type { Type } from "../../../types/t.ts";
import { checkFileOptions, type FileOptions, type Files, fileConnector } from "../file-connector.ts";
import { jsonArrayFormat } from "./json-array-parser.ts";
import { jsonlEncoder } from "./json-encode.ts";
import { jsonlFormat } from "./jsonl-parser.ts";

export type JsonlOptions = FileOptions & {
  /** Source: each file is one JSON array, on as many lines as it likes; its elements are the records. */
  readonly array?: boolean;
};

/**
 * JSON Lines files. As a source: a path, a directory, a glob pattern or a list of them; records are checked against
 * `type`, without it each line is an object with whatever fields it has. As a sink: a directory that part files are
 * written to.
 */
export function jsonl<T = Record<string, unknown>>(
  paths: string | readonly string[],
  options?: JsonlOptions & { readonly type?: Type<T> },
): Files<T>;
export function jsonl<T>(
  paths: string | readonly string[],
  options: JsonlOptions & { readonly type?: Type<T> } = {},
): Files<T | Record<string, unknown>> {
  checkFileOptions("jsonl", options, { array: FLAG });
  const spec = options.type === undefined ? null : checkedLayout(options.type, "the type of jsonl");
  return fileConnector(paths, options, {
    kind: "jsonl",
    type: spec,
    format: () => (options.array === true ? jsonArrayFormat(spec) : jsonlFormat(spec)),
    encoder: () => jsonlEncoder,
  });
}
