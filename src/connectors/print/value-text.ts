// A value as people read it, on one line and bounded: like a JavaScript literal.

const LENGTH_MAX = 64;
const ITEMS_MAX = 8;
const DEPTH_MAX = 3;

export function valueText(value: unknown, depth = 0): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > LENGTH_MAX ? `${value.slice(0, LENGTH_MAX)}…` : value);
    case "bigint":
      return `${value}n`;
    case "function":
    case "symbol":
      return `[${typeof value}]`;
    case "object":
      return value === null ? "null" : objectText(value, depth);
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

function objectText(value: object, depth: number): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (depth === DEPTH_MAX) return Array.isArray(value) ? "[…]" : "{…}";
  if (value instanceof Map)
    return listText(
      `Map(${value.size}) {`,
      [...value].slice(0, ITEMS_MAX + 1),
      "}",
      ([key, item]) => `${valueText(key, depth + 1)} => ${valueText(item, depth + 1)}`,
    );
  if (value instanceof Set)
    return listText(`Set(${value.size}) {`, [...value].slice(0, ITEMS_MAX + 1), "}", (item) =>
      valueText(item, depth + 1),
    );
  if (Array.isArray(value))
    return listText("[", value.slice(0, ITEMS_MAX + 1), "]", (item) => valueText(item, depth + 1));
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const items = [...(value as Uint8Array).subarray(0, ITEMS_MAX + 1)];
    return listText(`${value.constructor.name} [`, items, "]", (item) => valueText(item));
  }
  return listText("{", Object.entries(value), "}", ([name, item]) => `${name}: ${valueText(item, depth + 1)}`);
}

function listText<T>(open: string, items: readonly T[], close: string, text: (item: T) => string): string {
  const shown = items.slice(0, ITEMS_MAX).map(text);
  if (items.length > ITEMS_MAX) shown.push("…");
  if (shown.length === 0) return `${open}${close}`;
  return open.endsWith("[") ? `${open}${shown.join(", ")}${close}` : `${open} ${shown.join(", ")} ${close}`;
}
