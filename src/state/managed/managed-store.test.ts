import { keyedStateContract } from "../suites/keyed-state.contract.ts";
import { makeManaged } from "../suites/store-makers.contract.ts";

keyedStateContract(makeManaged);
