// Generates `append`: checks one record against the spec and stages it in the columns of a `ColumnWriter`.
//
// The text has two halves. The first reads and checks every field, which ends in locals `x…` (values) and `s…` (states)
// and in blobs behind the last one that counts. The second stores the locals at row n; nothing can refuse the record
// any more.

import type { StructSpec } from "../spec/type-spec.ts";
import { countGuard, structGuard } from "../values/struct-guard.ts";
import { stateOf, type ValueSource } from "../values/value-source.ts";
import type { BatchLayout, ColumnNode } from "./batch-layout.ts";

type Parts = {
  readonly locals: string[];
  readonly checks: string[];
  readonly stores: string[];
  /** Locals of the text columns, in order. */
  readonly texts: string[];
  /** Locals with the end of each blob column, in order. */
  readonly blobs: string[];
};

/** The name of the generated function. */
export function appendSource(source: ValueSource, layout: BatchLayout): string {
  const parts: Parts = { locals: [], checks: [], stores: [], texts: [], blobs: [] };
  checkNode(source, parts, layout.root, "record");
  const name = source.code.name("append");
  const kind = layout.kinds ? ", kind = 0" : "";
  source.code.add(`function ${name}(record, timestampMs${kind}) {\n${appendBody(source, layout, parts)}\n}`);
  return name;
}

function appendBody(source: ValueSource, layout: BatchLayout, parts: Parts): string {
  const { counts } = layout;
  const lines = [`let n = this.count;`, ...parts.locals];
  if (layout.root.spec.kind === "struct" && layout.root.state < 0 && source.strictness !== "ignore") {
    lines.push(
      `if (n === 0 && typeof record === "object" && record !== null && symbolsOf(record).length > 0) return false;`,
    );
  }
  if (counts.blob > 0) {
    lines.push(`const blobs = this.blobs, blobStart = this.blobEnds[n * ${counts.blob}]; blobs.position = blobStart;`);
  }
  lines.push(...parts.checks);
  lines.push(`if (n === this.capacity) this.grow();`);
  if (layout.timestamps >= 0) parts.stores.push(`wide[n + ${layout.timestamps} * capacity] = timestampMs;`);
  lines.push(...views(parts.stores), ...parts.stores);
  if (layout.kinds) lines.push(`this.kinds[n] = kind; this.changes |= kind;`);
  const sizes = [`${layout.recordBytes}`];
  if (counts.text > 0) {
    lines.push(
      `const textEnds = this.textEnds; let e = n * ${counts.text}, units = textEnds[e]; const textStart = units;`,
    );
    lines.push(`this.rope.text += ${parts.texts.join(" + ")};`);
    for (const text of parts.texts) lines.push(`textEnds[++e] = units += ${text}.length;`);
    sizes.push("units - textStart");
  }
  if (counts.blob > 0) {
    lines.push(`const blobEnds = this.blobEnds; let b = n * ${counts.blob}, blobEnd = blobStart;`);
    // A blob below something that is not there was not written: its local is 0, and it ends where the one before ends.
    for (const end of parts.blobs) lines.push(`blobEnds[++b] = blobEnd = ${end} === 0 ? blobEnd : ${end};`);
    sizes.push("blobEnd - blobStart");
  }
  lines.push(`this.bytes += ${sizes.join(" + ")};`, `this.count = n + 1;`, `return true;`);
  return lines.join("\n");
}

/** The writer's columns that the stores use. */
function views(stores: readonly string[]): string[] {
  const used = ["wide", "wideInts", "words", "floats", "octets"].filter((name) =>
    stores.some((store) => store.startsWith(`${name}[`)),
  );
  return (used.length === 0 ? [] : ["capacity", ...used]).map((name) => `const ${name} = this.${name};`);
}

/** Checks the value in the local or expression `v`, below a state column when the node has one. */
function checkNode(source: ValueSource, parts: Parts, node: ColumnNode, v: string): void {
  if (node.state < 0) {
    checkValue(source, parts, node, v);
    return;
  }
  // A nullable record or element; the states of optional fields are set by their struct.
  const state = `s${node.state}`;
  parts.locals.push(`let ${state} = 0;`);
  parts.checks.push(`${state} = ${v} === null ? 1 : 0;`);
  checkBelowState(source, parts, node, v);
}

function checkBelowState(source: ValueSource, parts: Parts, node: ColumnNode, v: string): void {
  parts.checks.push(`if (s${node.state} === 0) {`);
  checkValue(source, parts, node, v);
  parts.checks.push(`}`);
  parts.stores.push(`octets[n + ${node.state} * capacity] = s${node.state};`);
}

function checkValue(source: ValueSource, parts: Parts, node: ColumnNode, v: string): void {
  if (node.spec.kind === "struct") {
    checkStruct(source, parts, node, node.spec, v);
    return;
  }
  if (node.storage === "blob") {
    const end = `blob${node.index}`;
    parts.checks.push(`if (!${source.writer(node.spec)}(${v}, blobs)) return false; ${end} = blobs.position;`);
    parts.blobs.push(end);
    parts.locals.push(`let ${end} = 0;`);
    return;
  }
  const misfit = source.leafMisfit(node.spec, v);
  if (misfit !== null) parts.checks.push(`if (${misfit}) return false;`);
  if (node.storage !== "none") checkColumn(source, parts, node, v);
}

/** A value that goes into a column: the local that holds it, and the store. */
function checkColumn(source: ValueSource, parts: Parts, node: ColumnNode, v: string): void {
  const { spec, index } = node;
  const x = `${node.storage}${index}`;
  const at = `n + ${index} * capacity`;
  switch (spec.kind) {
    case "string":
      parts.locals.push(`let ${x} = "";`);
      parts.checks.push(`${x} = ${v};`);
      parts.texts.push(x);
      return;
    case "i64":
      parts.locals.push(`let ${x} = 0n;`);
      parts.checks.push(`${x} = ${v};`);
      parts.stores.push(`wideInts[${at}] = ${x};`);
      return;
    case "enum":
      parts.locals.push(`let ${x} = 0;`);
      parts.checks.push(`${x} = ${source.enumIndex(spec.values, v)}; if (${x} < 0) return false;`);
      break;
    case "date":
      parts.locals.push(`let ${x} = 0;`);
      parts.checks.push(`${x} = ${v}.getTime();`);
      break;
    case "bool":
      parts.locals.push(`let ${x} = 0;`);
      parts.checks.push(`${x} = ${v} ? 1 : 0;`);
      break;
    default:
      parts.locals.push(`let ${x} = 0;`);
      parts.checks.push(`${x} = ${v};`);
  }
  parts.stores.push(`${arrayOf(node)}[${at}] = ${x};`);
}

function arrayOf(node: ColumnNode): string {
  if (node.storage === "wide") return "wide";
  if (node.storage === "byte") return "octets";
  return node.spec.kind === "f32" ? "floats" : "words";
}

function checkStruct(source: ValueSource, parts: Parts, node: ColumnNode, spec: StructSpec, object: string): void {
  parts.checks.push(structGuard(source.code, spec, source.strictness, object));
  const absent: string[] = [];
  for (const { field, node: child } of node.children) {
    const v = source.code.name("v");
    parts.checks.push(source.loadField(field, object, v));
    if (!field.optional) {
      checkNode(source, parts, child, v);
      continue;
    }
    const state = `s${child.state}`;
    parts.locals.push(`let ${state} = 0;`);
    parts.checks.push(`${state} = ${stateOf(field, object, v)};`);
    checkBelowState(source, parts, child, v);
    absent.push(`${state} === 3`);
  }
  parts.checks.push(countGuard(spec, source.strictness, object, absent));
}
