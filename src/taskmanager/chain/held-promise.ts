// Promises within records: to all that follows each would be an object without fields.

import { types } from "node:util";

const STEPS_MAX = 1_000;

type Part = { readonly value: object; readonly path: string };

/** Where the first promise within a record is ("order.items[2]"); null when there is none. */
export function heldPromise(record: unknown): string | null {
  if (typeof record !== "object" || record === null) return null;
  const open: Part[] = [{ value: record, path: "" }];
  for (let at = 0; at < open.length && at < STEPS_MAX; at += 1) {
    const { value, path } = open[at]!;
    if (types.isPromise(value)) return path;
    for (const [step, part] of partsOf(value)) {
      if (typeof part === "object" && part !== null)
        open.push({ value: part, path: `${path}${step}`.replace(/^\./, "") });
    }
  }
  return null;
}

/** The values within one, each with the step that leads there. */
function partsOf(value: object): [string, unknown][] {
  if (types.isProxy(value)) return [];
  if (types.isMap(value)) return [...value].map(([key, item]) => [`[${typeof key === "symbol" ? "" : key}]`, item]);
  if (types.isSet(value)) return [...value].map((item) => ["[]", item]);
  if (Array.isArray(value)) return value.map((item, index) => [`[${index}]`, item]);
  return isPlain(value) ? Object.keys(value).map((name) => [`.${name}`, value[name]]) : [];
}

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
