// Everything that a keyed state store guarantees, as tests for one kind of store.

import { stateChangeContract } from "./state-change.contract.ts";
import { stateValuesContract } from "./state-values.contract.ts";
import { storeLifecycleContract } from "./store-lifecycle.contract.ts";
import type { StoreMaker } from "./tested-store.contract.ts";
import { timersContract } from "./timers.contract.ts";

export function keyedStateContract(make: StoreMaker): void {
  stateValuesContract(make);
  timersContract(make);
  storeLifecycleContract(make);
  stateChangeContract(make);
}
