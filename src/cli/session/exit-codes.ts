// Exit codes, the same for all commands (docs/cli.md).

export const EXIT = {
  ok: 0,
  jobFailed: 1,
  /** A wrong command line, job file or configuration: nothing was run. */
  usage: 2,
  interrupted: 130,
} as const;
