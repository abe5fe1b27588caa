import { keyedStateContract } from "../suites/keyed-state.contract.ts";
import { makeHeap } from "../suites/store-makers.contract.ts";

keyedStateContract(makeHeap);
