// All planted mistakes, by the folder of src that they are made in.

import type { Mutant } from "../mutant.ts";
import { BASE } from "./base.ts";
import { CONNECTORS } from "./connectors.ts";
import { JOBMANAGER } from "./jobmanager.ts";
import { MEMORY } from "./memory.ts";
import { NETWORK } from "./network.ts";
import { OPERATORS } from "./operators.ts";
import { PLAN } from "./plan.ts";
import { STATE } from "./state.ts";
import { SURFACE } from "./surface.ts";
import { TASKMANAGER } from "./taskmanager.ts";
import { TYPES } from "./types.ts";

export const MUTANTS: readonly Mutant[] = [
  ...BASE,
  ...TYPES,
  ...MEMORY,
  ...STATE,
  ...OPERATORS,
  ...PLAN,
  ...NETWORK,
  ...TASKMANAGER,
  ...JOBMANAGER,
  ...CONNECTORS,
  ...SURFACE,
];
