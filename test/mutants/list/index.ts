// All planted mistakes, by the folder of src that they are made in.

import type { Mutant } from "../mutant.ts";
import { MEMORY } from "./memory.ts";
import { NETWORK } from "./network.ts";

export const MUTANTS: readonly Mutant[] = [...MEMORY, ...NETWORK];
