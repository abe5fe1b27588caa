export { type CsvOptions, csv } from "./csv/csv.ts";
export type { FileOptions, Files, Size } from "./file-connector.ts";
export { type JsonlOptions, jsonl } from "./json/jsonl.ts";
export { stdin, stdout } from "./standard-streams.ts";
