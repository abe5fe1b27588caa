// Collects the parts of a generated module: functions, constants, names; and turns the text into functions.
//
//   G1. The text holds only what the engine made. Names of users' fields enter as JSON strings, everything else that is
//       theirs (enum values, names to compare with) through parameters.
//   G2. Each instance has its own text (`label`): equal texts would share one compiled function and its type feedback.

import { setFieldCode } from "../spec/field-path.ts";

export class GeneratedCode {
  readonly #runtime: Readonly<Record<string, unknown>>;
  readonly #functions: string[];
  readonly #constants: unknown[];
  #names: number;

  constructor(runtime: Readonly<Record<string, unknown>>) {
    this.#runtime = runtime;
    this.#functions = [];
    this.#constants = [];
    this.#names = 0;
  }

  name(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }

  /** The name under which generated code sees `value`. */
  constant(value: unknown): string {
    this.#constants.push(value);
    return `k${this.#constants.length}`;
  }

  add(text: string): void {
    this.#functions.push(text);
  }

  /** Evaluates everything that was added and returns the value of the expression `result`. */
  build(label: string, result: string): unknown {
    const safe = label.replace(/[^\w.-]/g, "_");
    const text = [
      `"use strict"; // ${safe}`,
      `const { ${Object.keys(this.#runtime).join(", ")} } = runtime;`,
      ...this.#functions,
      `return ${result};`,
      `//# sourceURL=millrace-generated/${safe}.js`,
    ].join("\n");
    const parameters = this.#constants.map((_, index) => `k${index + 1}`);
    // Text made by the engine alone (G1).
    return new Function("runtime", ...parameters, text)(this.#runtime, ...this.#constants);
  }
}

/** `{ "a": x, "b": y }` as an expression. `present` is a condition, or null for a field that is always there. */
export type LiteralField = { readonly name: string; readonly value: string; readonly present: string | null };

/** One literal for each combination of optional fields, as long as these literals have no more fields in all. */
const VARIANT_FIELDS_MAX = 128;

export function objectLiteral(code: GeneratedCode, fields: readonly LiteralField[]): string {
  const optional = fields.filter((field) => field.present !== null).length;
  const isSmall = optional === 0 || fields.length * 2 ** optional <= VARIANT_FIELDS_MAX;
  return isSmall ? literalVariants(fields) : stepwiseObject(code, fields);
}

function literalVariants(fields: readonly LiteralField[]): string {
  const first = fields.findIndex((field) => field.present !== null);
  if (first < 0) return `{ ${fields.map((field) => `${literalKey(field.name)}: ${field.value}`).join(", ")} }`;
  const field = fields[first]!;
  const withField = fields.with(first, { ...field, present: null });
  return `((${field.present}) ? ${literalVariants(withField)} : ${literalVariants(fields.toSpliced(first, 1))})`;
}

/** The leading required fields as a literal, the others one by one. */
function stepwiseObject(code: GeneratedCode, fields: readonly LiteralField[]): string {
  const first = fields.findIndex((field) => field.present !== null);
  const later = fields.slice(first);
  const build = code.name("build");
  const steps = later.map((field, index) => {
    const assign = setFieldCode("o", field.name, `v${index}`);
    return field.present === null ? `${assign};` : `if (p${index}) ${assign};`;
  });
  const parameters = later.flatMap((_, index) => [`p${index}`, `v${index}`]);
  const leading = fields.slice(0, first);
  code.add(`function ${build}(o, ${parameters.join(", ")}) { ${steps.join(" ")} return o; }`);
  const values = later.flatMap((field) => [field.present ?? "true", field.value]);
  return `${build}(${literalVariants(leading)}, ${values.join(", ")})`;
}

/** `"__proto__": x` would set the prototype; a computed key makes a property. */
function literalKey(name: string): string {
  return name === "__proto__" ? `["__proto__"]` : JSON.stringify(name);
}
