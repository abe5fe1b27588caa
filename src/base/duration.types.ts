// Type test of `Duration`: compiled, never run.

import type { Duration } from "./duration.ts";

const accepted: readonly Duration[] = ["500ms", "5s", "1.5m", "2h", "7d"];

// @ts-expect-error a unit is needed
const withoutUnit: Duration = "5";
// @ts-expect-error not a unit
const unknownUnit: Duration = "5w";
// @ts-expect-error a number alone is not a duration
const bareNumber: Duration = 5_000;

export const compiled = [accepted, withoutUnit, unknownUnit, bareNumber];
