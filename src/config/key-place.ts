// Where a key stands in the text of a configuration file: JSON or TypeScript, nested, dotted or both.

export type KeyPlace = { readonly line: number; readonly column: number };

const COMMENT_OR_TEXT = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** Null when the text does not show it, as when code makes the key. */
export function keyPlace(text: string, key: string): KeyPlace | null {
  const code = text.replace(COMMENT_OR_TEXT, (found) => (found.startsWith("/") ? found.replace(/[^\n]/g, " ") : found));
  const offset = offsetOf(code, key.split("."), 0);
  if (offset === null) return null;
  const before = code.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

/** Of the last part of the key, each part after the one it stands in; as many names as possible in one part. */
function offsetOf(code: string, names: readonly string[], from: number): number | null {
  for (let count = names.length; count > 0; count -= 1) {
    const offset = propertyOffset(code, names.slice(0, count).join("."), from);
    if (offset === null) continue;
    const found = count === names.length ? offset : offsetOf(code, names.slice(count), offset + 1);
    if (found !== null) return found;
  }
  return null;
}

function propertyOffset(code: string, name: string, from: number): number | null {
  const escaped = name.replace(/[^\w]/g, "\\$&");
  const property = new RegExp(`(?:(["'])${escaped}\\1|(?<![\\w$.-])${escaped})\\s*:`, "g");
  property.lastIndex = from;
  return property.exec(code)?.index ?? null;
}
