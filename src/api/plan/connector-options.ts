// What the plan holds of a source or sink: what it says of itself, and its description.

import type { Json } from "../../operators/source.ts";

/** A description takes the place of nothing that the engine goes by, said or not. */
export function connectorOptions(own: Readonly<Record<string, Json | undefined>>, described: unknown): Json {
  const isNamed = typeof described === "object" && described !== null && !Array.isArray(described);
  const more = Object.entries(isNamed ? described : {}).filter(([name]) => !Object.hasOwn(own, name));
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...said, ...more]) as Json;
}
