// The standard streams of the process as paths.

import { STDIN_PATH, STDOUT_PATH } from "../../base/disk.ts";

/** Standard input: `csv(stdin)`, `jsonl(stdin, { type })`. Read once, by one source of the job. */
export const stdin = STDIN_PATH;

/**
 * Standard output: `.to("out", jsonl(stdout))`. One subtask writes the records as they come, and what else the command
 * line has to say goes to standard error.
 */
export const stdout = STDOUT_PATH;
