// Takes the place of fast-check where PROPERTY_FACTOR is set (property-seed.ts): so that no test has to know of it.

import fc, { type IAsyncProperty, type IProperty, type Parameters } from "fast-check";

const FACTOR = Number(process.env.PROPERTY_FACTOR);
if (!(FACTOR > 0)) throw new Error(`PROPERTY_FACTOR=${process.env.PROPERTY_FACTOR} is no factor`);

const DEFAULT_RUNS = 100;

type AnyAssert = (property: unknown, parameters: Parameters<unknown>) => unknown;

function assertMany<Ts>(property: IProperty<Ts> | IAsyncProperty<Ts>, parameters: Parameters<Ts> = {}): unknown {
  const numRuns = Math.ceil((parameters.numRuns ?? DEFAULT_RUNS) * FACTOR);
  return (fc.assert as AnyAssert)(property, { ...(parameters as Parameters<unknown>), numRuns });
}

export default { ...fc, assert: assertMany };
