// Generates the functions that write and read one value after the other, from a spec.
//
//   value  = by kind:
//     f64 timestamp date   f64            f32 i32 i64   4, 4, 8 bytes       bool   byte
//     string bigint        as in byte-buffer.ts          null undefined      byte 0
//     enum                 u32 index      bytes         byte buffer, u32 elements, the elements
//     list set             u32 count, items               map   u32 count, (key, value)…
//     struct               fields in order; an optional or nullable one after a state byte; no field at all: byte 0
//     nullable             state byte, inner              union u32 member, value      any   any-format.ts
//   state  = 0 a value follows, 1 null, 2 undefined, 3 absent
//
// Every value takes at least one byte, which bounds what a damaged count can allocate (V2 of byte-buffer.ts).

import { types } from "node:util";
import { isDuration } from "../../base/duration.ts";
import { AnyReader } from "../any/any-reader.ts";
import { AnyWriter } from "../any/any-writer.ts";
import * as bytes from "../bytes/byte-buffer.ts";
import type { Strictness } from "../bytes/codec.ts";
import { GeneratedCode, type LiteralField, objectLiteral } from "../bytes/generated-code.ts";
import { readTypedArray, writeTypedArray } from "../bytes/typed-array-bytes.ts";
import { ownFieldCode } from "../spec/field-path.ts";
import { TIME_MAX_MS } from "../spec/source-value.ts";
import type { StructField, StructSpec, TypeSpec } from "../spec/type-spec.ts";
import { countGuard, structGuard } from "./struct-guard.ts";

/** What generated code may call. */
const RUNTIME = {
  writeByte: bytes.writeByte,
  readByte: bytes.readByte,
  writeU32: bytes.writeU32,
  readU32: bytes.readU32,
  readCount: bytes.readCount,
  writeF64: bytes.writeF64,
  readF64: bytes.readF64,
  writeF32: bytes.writeF32,
  readF32: bytes.readF32,
  writeI32: bytes.writeI32,
  readI32: bytes.readI32,
  writeI64: bytes.writeI64,
  readI64: bytes.readI64,
  writeBigint: bytes.writeBigint,
  readBigint: bytes.readBigint,
  writeString: bytes.writeString,
  readString: bytes.readString,
  corrupt: bytes.corrupt,
  writeTypedArray,
  readTypedArray,
  isDate: types.isDate,
  isDuration,
  isMap: types.isMap,
  isSet: types.isSet,
  isArray: Array.isArray,
  hasOwn: Object.hasOwn,
  getPrototypeOf: Object.getPrototypeOf,
  symbolsOf: Object.getOwnPropertySymbols,
  objectKeys: Object.keys,
  objectPrototype: Object.prototype,
  arrayPrototype: Array.prototype,
  datePrototype: Date.prototype,
  mapPrototype: Map.prototype,
  setPrototype: Set.prototype,
};

/** Up to this many values an enum is compared value by value; beyond, a `Map` is asked. */
const ENUM_COMPARE_MAX = 8;

export class ValueSource {
  readonly code: GeneratedCode;
  readonly strictness: Strictness;
  readonly #keepsZero: boolean;
  #anyWriter: string | null;
  #anyReader: string | null;

  /** `keepsZero`: -0 is no integer. */
  constructor(strictness: Strictness, code = new GeneratedCode(RUNTIME), keepsZero = false) {
    this.code = code;
    this.#keepsZero = keepsZero;
    this.strictness = strictness;
    this.#anyWriter = null;
    this.#anyReader = null;
  }

  /** Adds a function `(value, out) => boolean` and returns its name. False: does not fit; `out` may have moved. */
  writer(spec: TypeSpec): string {
    const name = this.code.name("write");
    this.code.add(`function ${name}(v, out) {\n${this.#writeBody(spec)}\n}`);
    return name;
  }

  /** Adds a function `(input) => value` and returns its name. */
  reader(spec: TypeSpec): string {
    const name = this.code.name("read");
    this.code.add(`function ${name}(input) {\n${this.#readBody(spec)}\n}`);
    return name;
  }

  /** The condition under which `v` is not a value of a kind that needs no look inside; null for the other kinds. */
  leafMisfit(spec: TypeSpec, v: string): string | null {
    switch (spec.kind) {
      case "f64":
        return `typeof ${v} !== "number"`;
      case "timestamp":
        return `typeof ${v} !== "number" || !(Math.abs(${v}) <= ${TIME_MAX_MS})`;
      case "f32":
        return `typeof ${v} !== "number" || (Math.fround(${v}) !== ${v} && ${v} === ${v})`;
      case "i32":
        return `typeof ${v} !== "number" || (${v} | 0) !== ${v}${this.#keepsZero ? ` || (${v} === 0 && 1 / ${v} < 0)` : ""}`;
      case "i64":
        return `typeof ${v} !== "bigint" || BigInt.asIntN(64, ${v}) !== ${v}`;
      case "bigint":
        return `typeof ${v} !== "bigint"`;
      case "bool":
        return `typeof ${v} !== "boolean"`;
      case "string":
        return `typeof ${v} !== "string"${spec.form === "duration" ? ` || !isDuration(${v})` : ""}`;
      case "null":
        return `${v} !== null`;
      case "undefined":
        return `${v} !== undefined`;
      case "date":
        return `!isDate(${v}) || getPrototypeOf(${v}) !== datePrototype || !(${v}.getTime() <= ${TIME_MAX_MS})${this.#notBare(v)}`;
      default:
        return null;
    }
  }

  /** An expression for the index of an enum's value, undefined or -1 when it has no such value. */
  enumIndex(values: readonly string[], v: string): string {
    if (values.length > ENUM_COMPARE_MAX) {
      return `(${this.code.constant(new Map(values.map((value, index) => [value, index])))}.get(${v}) ?? -1)`;
    }
    const names = values.map((value) => this.code.constant(value));
    return `(${names.map((name, index) => `${v} === ${name} ? ${index}`).join(" : ")} : -1)`;
  }

  /** Reads a struct's field into a constant and rejects a required one that is absent. */
  loadField(field: StructField, object: string, v: string): string {
    const load = `const ${v} = ${ownFieldCode(object, field.name)};`;
    if (field.optional || !admitsUndefined(field.type)) return load;
    return `${load} if (${v} === undefined && !hasOwn(${object}, ${JSON.stringify(field.name)})) return false;`;
  }

  /** Statements that return false from the enclosing function when `v` is no list, set or map of this strictness. */
  listGuard(v: string): string {
    const extras = this.strictness === "exact" ? ` || objectKeys(${v}).length !== ${v}.length` : "";
    return `if (!isArray(${v}) || getPrototypeOf(${v}) !== arrayPrototype${extras}) return false;`;
  }

  setGuard(v: string): string {
    return `if (!isSet(${v}) || getPrototypeOf(${v}) !== setPrototype${this.#notBare(v)}) return false;`;
  }

  mapGuard(v: string): string {
    return `if (!isMap(${v}) || getPrototypeOf(${v}) !== mapPrototype${this.#notBare(v)}) return false;`;
  }

  /** For element `i` of the list `v` in the local `item`: a hole reads as undefined. */
  holeGuard(item: TypeSpec): string {
    return admitsUndefined(item) ? "if (item === undefined && !hasOwn(v, i)) return false; " : "";
  }

  #writeBody(spec: TypeSpec): string {
    const misfit = this.leafMisfit(spec, "v");
    if (misfit !== null) return `if (${misfit}) return false;\n${leafWrite(spec)}\nreturn true;`;
    switch (spec.kind) {
      case "enum":
        return `const index = ${this.enumIndex(spec.values, "v")}; if (index < 0) return false; writeU32(out, index); return true;`;
      case "bytes":
        return `return writeTypedArray(${this.code.constant(spec.array)}, v, out);`;
      case "list":
        return this.#writeList(spec.item);
      case "set":
        return this.#writeSet(spec.item);
      case "map":
        return this.#writeMap(spec.key, spec.value);
      case "struct":
        return this.#writeStruct(spec);
      case "nullable":
        return `if (v === null) { writeByte(out, 1); return true; }\nwriteByte(out, 0); return ${this.writer(spec.inner)}(v, out);`;
      case "union":
        return this.#writeUnion(spec.members);
      case "any":
        this.#anyWriter ??= this.code.constant(new AnyWriter());
        return `return ${this.#anyWriter}.write(v, out);`;
      default:
        throw new Error(spec.kind);
    }
  }

  #writeList(item: TypeSpec): string {
    const write = this.writer(item);
    return [
      this.listGuard("v"),
      `const length = v.length; writeU32(out, length);`,
      `for (let i = 0; i < length; i++) { const item = v[i]; ${this.holeGuard(item)}if (!${write}(item, out)) return false; }`,
      `return true;`,
    ].join("\n");
  }

  #writeSet(item: TypeSpec): string {
    const write = this.writer(item);
    return [
      this.setGuard("v"),
      `writeU32(out, v.size);`,
      `for (const item of v) if (!${write}(item, out)) return false;`,
      `return true;`,
    ].join("\n");
  }

  #writeMap(key: TypeSpec, value: TypeSpec): string {
    const writeKey = this.writer(key);
    const writeValue = this.writer(value);
    return [
      this.mapGuard("v"),
      `writeU32(out, v.size);`,
      `for (const [key, item] of v) if (!${writeKey}(key, out) || !${writeValue}(item, out)) return false;`,
      `return true;`,
    ].join("\n");
  }

  #writeStruct(spec: StructSpec): string {
    const lines = [structGuard(this.code, spec, this.strictness, "v")];
    const absent: string[] = [];
    for (const [index, field] of spec.fields.entries()) {
      const v = `v${index}`;
      lines.push(this.loadField(field, "v", v));
      if (!field.optional) {
        lines.push(`if (!${this.writer(field.type)}(${v}, out)) return false;`);
        continue;
      }
      const inner = field.type.kind === "nullable" ? field.type.inner : field.type;
      const state = stateOf(field, "v", v);
      lines.push(`const s${index} = ${state}; writeByte(out, s${index});`);
      lines.push(`if (s${index} === 0 && !${this.writer(inner)}(${v}, out)) return false;`);
      absent.push(`s${index} === 3`);
    }
    if (spec.fields.length === 0) lines.push("writeByte(out, 0);");
    lines.push(countGuard(spec, this.strictness, "v", absent), "return true;");
    return lines.join("\n");
  }

  #writeUnion(members: readonly TypeSpec[]): string {
    const sources: ValueSource[] = [this];
    // A projection takes the member that leaves nothing out, if there is one; -0 one that keeps its sign.
    if (this.strictness === "ignore") sources.unshift(new ValueSource("refuse", this.code));
    if (!this.#keepsZero && members.some(hasInteger)) sources.unshift(new ValueSource("refuse", this.code, true));
    const attempts = sources.flatMap((source) =>
      members.map(
        (member, index) =>
          `writeU32(out, ${index}); if (${source.writer(member)}(v, out)) return true; out.position = start;`,
      ),
    );
    return `const start = out.position;\n${attempts.join("\n")}\nreturn false;`;
  }

  #readBody(spec: TypeSpec): string {
    switch (spec.kind) {
      case "list":
        return `const list = []; for (let n = readCount(input); n > 0; n--) list.push(${this.reader(spec.item)}(input)); return list;`;
      case "set":
        return `const set = new Set(); for (let n = readCount(input); n > 0; n--) set.add(${this.reader(spec.item)}(input)); return set;`;
      case "map":
        return [
          `const map = new Map();`,
          `for (let n = readCount(input); n > 0; n--) { const key = ${this.reader(spec.key)}(input); map.set(key, ${this.reader(spec.value)}(input)); }`,
          `return map;`,
        ].join("\n");
      case "struct":
        return this.#readStruct(spec);
      case "nullable":
        return `return readByte(input) === 0 ? ${this.reader(spec.inner)}(input) : null;`;
      case "union":
        return this.#readUnion(spec.members);
      default:
        return `return ${this.#readLeaf(spec)};`;
    }
  }

  #readLeaf(spec: TypeSpec): string {
    switch (spec.kind) {
      case "f64":
      case "timestamp":
        return "readF64(input)";
      case "f32":
        return "readF32(input)";
      case "i32":
        return "readI32(input)";
      case "i64":
        return "readI64(input)";
      case "bigint":
        return "readBigint(input)";
      case "bool":
        return "readByte(input) !== 0";
      case "string":
        return "readString(input)";
      case "null":
        return "(readByte(input), null)";
      case "undefined":
        return "(readByte(input), undefined)";
      case "date":
        return "new Date(readF64(input))";
      case "enum":
        return `${this.code.constant(spec.values)}[readU32(input)] ?? corrupt("no such value of an enum")`;
      case "bytes":
        return `readTypedArray(${this.code.constant(spec.array)}, input)`;
      case "any":
        this.#anyReader ??= this.code.constant(new AnyReader());
        return `${this.#anyReader}.read(input)`;
      default:
        throw new Error(spec.kind);
    }
  }

  #readStruct(spec: StructSpec): string {
    const lines: string[] = [];
    const literal: LiteralField[] = [];
    for (const [index, field] of spec.fields.entries()) {
      if (!field.optional) {
        lines.push(`const v${index} = ${this.reader(field.type)}(input);`);
        literal.push({ name: field.name, value: `v${index}`, present: null });
        continue;
      }
      const inner = field.type.kind === "nullable" ? field.type.inner : field.type;
      lines.push(`const s${index} = readByte(input);`);
      lines.push(
        `const v${index} = s${index} === 0 ? ${this.reader(inner)}(input) : s${index} === 1 ? null : undefined;`,
      );
      literal.push({ name: field.name, value: `v${index}`, present: `s${index} !== 3` });
    }
    if (spec.fields.length === 0) lines.push("readByte(input);");
    return `${lines.join("\n")}\nreturn ${objectLiteral(this.code, literal)};`;
  }

  #readUnion(members: readonly TypeSpec[]): string {
    const cases = members.map((member, index) => `case ${index}: return ${this.reader(member)}(input);`);
    return `switch (readU32(input)) { ${cases.join(" ")} default: return corrupt("no such member of a union"); }`;
  }

  /** What a learned type checks besides: nothing hangs on the object that the codec would drop. */
  #notBare(v: string): string {
    return this.strictness === "exact" ? ` || objectKeys(${v}).length > 0` : "";
  }
}

/** The state byte of an optional field, as an expression. */
export function stateOf(field: StructField, object: string, v: string): string {
  const missing = `(hasOwn(${object}, ${JSON.stringify(field.name)}) ? 2 : 3)`;
  const nullState = field.type.kind === "nullable" ? `${v} === null ? 1 : ` : "";
  return `${v} === undefined ? ${missing} : ${nullState}0`;
}

function admitsUndefined(spec: TypeSpec): boolean {
  switch (spec.kind) {
    case "undefined":
    case "any":
      return true;
    case "nullable":
      return admitsUndefined(spec.inner);
    case "union":
      return spec.members.some(admitsUndefined);
    default:
      return false;
  }
}

/** Whether an i32 lies in the type. */
function hasInteger(spec: TypeSpec): boolean {
  switch (spec.kind) {
    case "i32":
      return true;
    case "nullable":
      return hasInteger(spec.inner);
    case "list":
    case "set":
      return hasInteger(spec.item);
    case "map":
      return hasInteger(spec.key) || hasInteger(spec.value);
    case "struct":
      return spec.fields.some((field) => hasInteger(field.type));
    case "union":
      return spec.members.some(hasInteger);
    default:
      return false;
  }
}

function leafWrite(spec: TypeSpec): string {
  switch (spec.kind) {
    case "f64":
    case "timestamp":
      return "writeF64(out, v);";
    case "date":
      return "writeF64(out, v.getTime());";
    case "f32":
      return "writeF32(out, v);";
    case "i32":
      return "writeI32(out, v);";
    case "i64":
      return "writeI64(out, v);";
    case "bigint":
      return "writeBigint(out, v);";
    case "bool":
      return "writeByte(out, v ? 1 : 0);";
    case "string":
      return "writeString(out, v);";
    default:
      return "writeByte(out, 0);";
  }
}
