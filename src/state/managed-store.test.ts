import { keyedStateContract } from "./keyed-state.contract.ts";
import { makeManaged } from "./store-makers.contract.ts";

keyedStateContract(makeManaged);
