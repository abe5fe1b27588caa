// Generates `record`: builds the record at an index from the columns that a `ColumnReader` has open.

import { objectLiteral } from "../bytes/generated-code.ts";
import type { ValueSource } from "../values/value-source.ts";
import type { BatchLayout, ColumnNode } from "./batch-layout.ts";

/** The name of the generated function. */
export function recordSource(source: ValueSource, layout: BatchLayout): string {
  const value = nodeValue(source, layout.root, false);
  const { counts } = layout;
  const lines = [`const n = this.count;`, `if (i >>> 0 >= n) this.outOfRange(i);`];
  if (counts.wide > 0) lines.push(`const f64 = this.f64, i64 = this.i64, w = this.wideBase + i;`);
  if (counts.word > 0) lines.push(`const i32 = this.i32, f32 = this.f32, h = this.wordBase + i;`);
  if (counts.byte > 0) lines.push(`const octets = this.octets, o = this.byteBase + i;`);
  if (counts.text > 0) {
    lines.push(`const text = i >= this.textEnd || i < this.textFirst ? this.loadText(i) : this.text;`);
    lines.push(`const ends = this.i32, e = this.textEndsBase + i * ${counts.text}, u = this.textStart;`);
  }
  if (counts.blob > 0) lines.push(`const b = i * ${counts.blob};`);
  const name = source.code.name("record");
  source.code.add(`function ${name}(i) {\n${lines.join("\n")}\nreturn ${value};\n}`);
  return name;
}

/** The value as an expression. `optional`: may be undefined besides; absence is seen to by the struct. */
function nodeValue(source: ValueSource, node: ColumnNode, optional: boolean): string {
  const value = node.spec.kind === "struct" ? structValue(source, node) : columnValue(source, node);
  if (node.state < 0) return value;
  const state = `octets[o + ${node.state} * n]`;
  return optional
    ? `(${state} === 0 ? ${value} : ${state} === 1 ? null : undefined)`
    : `(${state} === 0 ? ${value} : null)`;
}

function structValue(source: ValueSource, node: ColumnNode): string {
  const fields = node.children.map(({ field, node: child }) => ({
    name: field.name,
    value: nodeValue(source, child, field.optional),
    present: field.optional ? `octets[o + ${child.state} * n] !== 3` : null,
  }));
  return objectLiteral(source.code, fields);
}

function columnValue(source: ValueSource, node: ColumnNode): string {
  const { spec, index } = node;
  switch (spec.kind) {
    case "f64":
    case "timestamp":
      return `f64[w + ${index} * n]`;
    case "date":
      return `new Date(f64[w + ${index} * n])`;
    case "i64":
      return `i64[w + ${index} * n]`;
    case "f32":
      return `f32[h + ${index} * n]`;
    case "i32":
      return `i32[h + ${index} * n]`;
    case "bool":
      return `octets[o + ${index} * n] !== 0`;
    case "enum": {
      const at = node.storage === "byte" ? `octets[o + ${index} * n]` : `i32[h + ${index} * n]`;
      return `(${source.code.constant(spec.values)}[${at}] ?? corrupt("no such value of an enum"))`;
    }
    case "string":
      return `text.substring(ends[e + ${index}] - u, ends[e + ${index + 1}] - u)`;
    case "null":
    case "undefined":
      return spec.kind;
    default:
      return `${source.reader(spec)}(this.blobAt(b + ${index}))`;
  }
}
