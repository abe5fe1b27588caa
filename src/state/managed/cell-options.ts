// What the cells of one store share.

import type { Clock } from "../../base/env.ts";
import type { CurrentKey } from "../keys/current-key.ts";
import type { TableOptions } from "../table/managed-table.ts";

export type CellOptions = TableOptions & {
  readonly current: CurrentKey;
  /** Processing time, for time-to-live. */
  readonly clock: Clock;
};
