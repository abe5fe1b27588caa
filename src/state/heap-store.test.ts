import { keyedStateContract } from "./keyed-state.contract.ts";
import { makeHeap } from "./store-makers.contract.ts";

keyedStateContract(makeHeap);
