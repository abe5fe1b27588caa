// All planted mistakes, by the folder of src that they are made in.

import type { Mutant } from "../mutant.ts";
import { BASE } from "./base.ts";
import { CHECKPOINTS } from "./checkpoints.ts";
import { CHECKPOINTS_SEEN } from "./checkpoints-seen.ts";
import { CONNECTORS } from "./connectors.ts";
import { CSV } from "./csv.ts";
import { DRIVERS } from "./drivers.ts";
import { FILE_SINKS } from "./file-sinks.ts";
import { FILE_SOURCES } from "./file-sources.ts";
import { HEAP_SNAPSHOTS } from "./heap-snapshots.ts";
import { JOBMANAGER } from "./jobmanager.ts";
import { JSON_FILES } from "./json.ts";
import { MEMORY } from "./memory.ts";
import { NETWORK } from "./network.ts";
import { OPERATORS } from "./operators.ts";
import { PLAN } from "./plan.ts";
import { PRESSURE } from "./pressure.ts";
import { PROTOCOL } from "./protocol.ts";
import { SAVEPOINTS } from "./savepoints.ts";
import { SIMULATED } from "./simulated.ts";
import { SNAPSHOTS } from "./snapshots.ts";
import { STATE } from "./state.ts";
import { STATE_CHANGES } from "./state-changes.ts";
import { SURFACE } from "./surface.ts";
import { TASKMANAGER } from "./taskmanager.ts";
import { THREADS } from "./threads.ts";
import { TYPES } from "./types.ts";
import { WINDOWS } from "./windows.ts";

export const MUTANTS: readonly Mutant[] = [
  ...BASE,
  ...TYPES,
  ...MEMORY,
  ...SNAPSHOTS,
  ...HEAP_SNAPSHOTS,
  ...STATE,
  ...STATE_CHANGES,
  ...OPERATORS,
  ...WINDOWS,
  ...PLAN,
  ...NETWORK,
  ...PRESSURE,
  ...PROTOCOL,
  ...THREADS,
  ...DRIVERS,
  ...TASKMANAGER,
  ...JOBMANAGER,
  ...CHECKPOINTS,
  ...CHECKPOINTS_SEEN,
  ...SAVEPOINTS,
  ...SIMULATED,
  ...CONNECTORS,
  ...FILE_SOURCES,
  ...CSV,
  ...JSON_FILES,
  ...FILE_SINKS,
  ...SURFACE,
];
