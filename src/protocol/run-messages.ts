// Messages between the process that runs a job and commands about it from outside (`millrace stop --run DIR`). Plain
// data as JSON has it. What a cluster is asked comes by REST; this is for one process.

import type { Savepoint } from "../checkpoint/savepoint.ts";
import type { Connection, Says } from "../network/transport.ts";
import type { EngineErrorData } from "./error-data.ts";
import type { JobEnd, StopHow } from "./job-messages.ts";

export type RunCommand =
  /** Null: to its usual place. Paths are absolute. */
  | { readonly kind: "savepoint"; readonly path: string | null }
  /** Answered when nothing of the job is left. */
  | ({ readonly kind: "stop" } & StopHow)
  /** The same. */
  | { readonly kind: "cancel" };

/** `token`: of the run, which who may read its directory knows. */
export type RunRequest = { readonly token: string } & (RunCommand | { readonly kind: "hello" });

export type RunReply =
  | { readonly kind: "hello"; readonly job: string }
  | { readonly kind: "savepoint"; readonly savepoint: Savepoint }
  | {
      readonly kind: "ended";
      readonly outcome: JobEnd["outcome"];
      /** Null: none was asked for. */
      readonly savepoint: Savepoint | null;
    }
  | { readonly kind: "failed"; readonly error: EngineErrorData };

type FromRun = Says<never, never, RunReply>;
type ToRun = Says<never, RunRequest, RunReply>;

/** The end of a command, and that of the run. */
export type RunConnection = Connection<ToRun, FromRun>;
export type RunSide = Connection<FromRun, ToRun>;
