// Loaded before each test file (package.json): property tests draw the same cases in every run, so that a failure comes
// from the change at hand. PROPERTY_SEED=random draws others, PROPERTY_SEED=n those of seed n.

import fc from "fast-check";

const { PROPERTY_SEED = "1" } = process.env;
if (PROPERTY_SEED !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(PROPERTY_SEED) });
