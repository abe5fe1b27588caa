// Loaded before each test file (package.json): property tests draw the same cases in every run, so that a failure comes
// from the change at hand. PROPERTY_SEED=random draws others, PROPERTY_SEED=n those of seed n.
//
// PROPERTY_FACTOR=n runs n times as many cases of each property as the test says (`npm run test:nightly`).

import { registerHooks } from "node:module";
import fc from "fast-check";

const { PROPERTY_SEED = "1", PROPERTY_FACTOR } = process.env;
const MANY_CASES = new URL("./property-cases.ts", import.meta.url).href;

if (PROPERTY_SEED !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(PROPERTY_SEED) });

if (PROPERTY_FACTOR !== undefined)
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "fast-check" && context.parentURL !== MANY_CASES
        ? { url: MANY_CASES, shortCircuit: true }
        : next(specifier, context),
  });
