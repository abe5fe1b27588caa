// Keyed state for the operators of one slot.

import type { Env } from "../base/env.ts";
import { UserError } from "../base/errors.ts";
import type { Configuration } from "../config/configuration.ts";
import type { SegmentPool } from "../memory/segment-pool.ts";
import type { StateFactory } from "./job-factory.ts";

export type SlotStatesOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  /** Managed memory. */
  readonly pool: SegmentPool;
  readonly limitBytes: number;
  readonly jobId: string;
  readonly slot: number;
};

export function slotStates(_options: SlotStatesOptions): StateFactory {
  return {
    storeFor: (operator) => {
      throw new UserError("STATE_BACKEND_MISSING", `no keyed state for ${operator.uid}`);
    },
    release: async () => undefined,
  };
}
