// The generated functions of a set of aggregates: add staged records to rows, merge rows, make result rows.
//
// Rows are addressed as words of a Float64Array: of managed memory for state, of a small array for scratch. Each
// function has a text of its own per operator, or V8 would share type feedback between operators.
//
// Budget: count + sum + max, 1 M keys: 40 ns per record in `accumulate`, nearly all of it one cache miss.

import { GeneratedCode, objectLiteral } from "../../types/bytes/generated-code.ts";
import type { AggregateLayout, Component } from "./aggregate-layout.ts";
import type { AggregateObjects } from "./aggregate-objects.ts";
import type { AggregateStage } from "./aggregate-stage.ts";
import { addCode, mergeCode } from "./fixed-component.ts";
import { sampleVariance } from "./moments.ts";
import type { Words } from "./words.ts";

type Accumulate = (memory: Float64Array, rows: Int32Array, offset: number, from: number, end: number) => void;

export type AggregateProgram = {
  /** Adds staged records `from` to `end` to the rows whose accumulators start at `rows[i] + offset`. */
  readonly accumulate: Accumulate;
  /** The same without objects. */
  readonly accumulateNumbers: Accumulate;
  /** Merges the accumulators at `source` into those at `target`. The source stays as it is. */
  readonly merge: (targetMemory: Float64Array, target: number, sourceMemory: Float64Array, source: number) => void;
  /** The result row of accumulators. `start` and `end` are used by windows only. */
  readonly result: (memory: Float64Array, address: number, key: unknown, start: number, end: number) => unknown;
};

export type ProgramOptions = {
  /** Unique within the process: operator and subtask. */
  readonly label: string;
  readonly layout: AggregateLayout;
  readonly stage: AggregateStage;
  readonly objects: AggregateObjects;
  /** Field of the result row that holds the key. */
  readonly keyName: string;
  /** Fields of the key that are fields of the result row instead; null: none. */
  readonly keyParts: readonly string[] | null;
  /** Whether result rows have `start` and `end`. */
  readonly bounds: boolean;
};

export function compileAggregates(options: ProgramOptions): AggregateProgram {
  const { layout, stage, objects, label } = options;
  const code = new GeneratedCode({ sampleVariance, objects, times: stage.times, records: stage.records });
  const inputs = inputCodes(code, stage);
  const heaps = layout.heaps.map((heap) => code.constant(heap.accumulator));
  code.add(accumulateCode(layout, inputs, { name: "accumulate", heaps }));
  code.add(accumulateCode(layout, inputs, { name: "accumulateNumbers", heaps: null }));
  code.add(mergeFunctionCode(layout, heaps));
  code.add(resultCode(code, options, heaps));
  return code.build(`aggregates ${label}`, "{ accumulate, accumulateNumbers, merge, result }") as AggregateProgram;
}

export type InputCode = { readonly column: string; readonly missing: string | null };

/** Names of the columns of a stage's inputs in generated code. */
export function inputCodes(code: GeneratedCode, stage: AggregateStage): InputCode[] {
  return stage.missing.map((missing, n) => ({
    column: code.constant(stage.numbers[n] ?? stage.values[n]),
    missing: missing === null ? null : code.constant(missing),
  }));
}

const wordsAt =
  (memory: string, address: string): Words =>
  (n) =>
    `${memory}[${address} + ${n}]`;

/** `heaps` null: objects are left out. */
type AccumulateParts = { readonly name: string; readonly heaps: readonly string[] | null };

function accumulateCode(
  layout: AggregateLayout,
  inputs: readonly InputCode[],
  { name, heaps }: AccumulateParts,
): string {
  const words = wordsAt("f64", "row");
  const used = (n: number) => inputs[n]!;
  const adds = layout.components.map((component) => {
    const add = addCode(
      component.kind,
      componentWords(words, component),
      component.inputs.map((n) => `${used(n).column}[i]`),
      "time",
    );
    return guarded(
      component.inputs.map((n) => used(n).missing),
      add,
    );
  });
  const objects = (heaps === null ? [] : layout.heaps).map(({ input, by }, n) => {
    const value = input === -1 ? "records[i]" : `${used(input).column}[i]`;
    const rank = by === -1 ? "null" : `${used(by).column}[i]`;
    const add = `objects.put(slot, ${n}, ${heaps?.[n]}.add(objects.items[slot * ${layout.heaps.length} + ${n}], ${value}, time, ${rank}));`;
    // The pick of minBy may be missing: it is what is picked, not what is compared.
    return guarded(
      [by === -1 ? input : by].map((guard) => (guard === -1 ? null : used(guard).missing)),
      add,
    );
  });
  return `function ${name}(f64, rows, offset, from, end) {
  for (let i = from; i < end; i += 1) {
    const row = rows[i] + offset, time = times[i];
    ${adds.join("\n    ")}
    ${heaps === null ? "" : slotCode(layout, "slot", words)}
    ${objects.join("\n    ")}
  }
}`;
}

function componentWords(words: Words, component: Component): Words {
  return (n) => words(component.offset + n);
}

function guarded(tests: readonly (string | null)[], statement: string): string {
  const present = [...new Set(tests)].filter((test) => test !== null);
  if (present.length === 0) return statement;
  return `if (${present.map((test) => `${test}[i] === 0`).join(" && ")}) { ${statement} }`;
}

/** Declares the slot of the row at `words`, opening it if need be. */
function slotCode(layout: AggregateLayout, name: string, words: Words): string {
  if (layout.slotWord === -1) return "";
  const word = words(layout.slotWord);
  return `let ${name} = ${word}; if (${name} < 0) ${word} = ${name} = objects.open();`;
}

function mergeFunctionCode(layout: AggregateLayout, heaps: readonly string[]): string {
  const [target, source] = [wordsAt("f64", "target"), wordsAt("g64", "source")];
  const fixed = layout.components.map(
    (component) =>
      `{ ${mergeCode(component.kind, componentWords(target, component), componentWords(source, component))} }`,
  );
  const objects = heaps.map((heap, n) => {
    const item = (slot: string) => `objects.items[${slot} * ${heaps.length} + ${n}]`;
    return `objects.put(slot, ${n}, ${heap}.merge(${item("slot")}, ${item("other")}));`;
  });
  const merged =
    heaps.length === 0
      ? ""
      : `const other = ${source(layout.slotWord)};
  if (other >= 0) { ${slotCode(layout, "slot", target)} ${objects.join(" ")} }`;
  return `function merge(f64, target, g64, source) {
  ${fixed.join("\n  ")}
  ${merged}
}`;
}

function resultCode(code: GeneratedCode, options: ProgramOptions, heaps: readonly string[]): string {
  const { layout, keyName, keyParts, bounds } = options;
  const words = wordsAt("f64", "row");
  const heap = (n: number) =>
    `${heaps[n]}.result(objects.items[f64[row + ${layout.slotWord}] * ${heaps.length} + ${n}])`;
  const fields = [
    ...(keyParts ?? [null]).map((part) =>
      part === null ? { name: keyName, value: "key" } : { name: part, value: `key[${JSON.stringify(part)}]` },
    ),
    ...(bounds
      ? [
          { name: "start", value: "start" },
          { name: "end", value: "end" },
        ]
      : []),
    ...layout.results.map((result) => ({ name: result.name, value: result.code(words, heap) })),
  ];
  const literal = objectLiteral(
    code,
    fields.map((field) => ({ ...field, present: null })),
  );
  return `function result(f64, row, key, start, end) { return ${literal}; }`;
}
