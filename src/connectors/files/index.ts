export { type CsvOptions, csv } from "./csv.ts";
export type { FileOptions, Files, Size } from "./file-connector.ts";
export { jsonl } from "./jsonl.ts";
