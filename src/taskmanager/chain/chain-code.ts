// Writes the source text of a chain: every operator's work on one record, fused into loops.
//
// A chain is a tree. Its text has two parts: outputs, one per place where records enter in the middle (results of a
// process function, a window, a flatMap, a source that pushes), and loops, one per input and record shape, which decode
// and process a whole batch. User functions are called directly, so that V8 can inline them; expressions become code.
//
//   G1. The text holds only what the engine made: field names pass through JSON.stringify, functions through bindings.
//   G2. Each text is unique (task, chain, shape), or V8 would share one function's type feedback between chains.
//   G3. An exception in an output never passes through the user function that emitted: it is kept in `S.failure`, and
//       the loop that runs stops (`S.full`).
//   G4. The records of a keyed head are taken in runs (key-run.ts): the keys of a run are read before its first record
//       is worked on, so that the operator can load the state of all of them at once.
//   G5. The first record of each batch has a loop of its own, which looks at it more closely: for fields that nobody
//       declared, and whether it is changed later on (record-watch.ts). In the loop of the others, records that V8 does
//       not need to make are not made; handing one to a function that is not inlined would cost three times as much as
//       all the rest (measured on `chain`: 40 ns became 125).
//
// In a loop `at` is the operator at work, and `u` the map that ran last if it returned undefined or null, else -1.
//
// Budget: 20 M records per CPU second through generate, map, filter, map, discard (bench case `chain`).

import type { OperatorKind, PlanOperator } from "../../graph/plan.ts";
import { conditionCode, recordField } from "../../operators/expressions/expr-code.ts";
import type { ExprSpec } from "../../operators/expressions/expr-spec.ts";
import { fieldCode } from "../../types/spec/field-path.ts";

/** What the writer needs to know of a chain; operators by their index in the chain. */
export type ChainShape = {
  readonly name: string;
  readonly operators: readonly PlanOperator[];
  /** Operators of the chain that consume an output, by index. */
  consumers(operator: number, output: string): readonly number[];
  /** Exchanges that take an output, by their index in the task. */
  exchanges(operator: number, output: string): readonly number[];
  /** Index in `C` of the records that left by an output; -1 for a side output that nobody takes. */
  count(operator: number, output: string): number;
  /** Freeze records, so that a mutation fails at the user's line. */
  readonly checks: boolean;
  /** Whether some records of an output are watched (`W`, record-watch.ts). */
  watches(operator: number, output: string): boolean;
  /** Whether what leaves by an output may be other than inserts. */
  kinds(operator: number, output: string): boolean;
  /** Whether what comes to the head may be. One with two inputs is an object, which is not told. */
  inputKinds(): boolean;
  /** Whether a filter turns updates that do not pass into deletes. */
  deletes(operator: number): boolean;
  /** Number of the guard of an output's records; -1 when it has none. */
  guard(operator: number, output: string): number;
};

/**
 * Name of the value an operator calls: `f` user function, `o` operator, `w` sink, `p` driver (parse, flatMap, event
 * time).
 */
export const bindingName = (prefix: "f" | "o" | "w" | "p", operator: number): string => `${prefix}${operator}`;
export const guardName = (guard: number): string => `g${guard}`;
export const fieldsGuardName = (guard: number): string => `h${guard}`;
export const exchangeName = (exchange: number): string => `e${exchange}`;

/**
 * How closely a record is looked at. "first": it is the first of its batch; "next": of the others, in the loop that has
 * to be fast; "offered": it came by itself.
 */
type Look = "first" | "next" | "offered";
/** `kind` null: all are inserts, and nothing is said of it. */
type Record = { readonly record: string; readonly time: string; readonly kind: string | null; readonly look: Look };

/** Everything that happens to a record that leaves `operator` through `output`. */
function outputCode(chain: ChainShape, operator: number, output: string, at: Record): string {
  const watched = at.look !== "next" && chain.watches(operator, output) ? chain.count(operator, output) : -1;
  const lines = [watched < 0 ? "" : watchCode(watched, at)];
  for (const exchange of chain.exchanges(operator, output)) {
    lines.push(`${exchangeName(exchange)}(${argumentsOf(at)});`);
  }
  for (const consumer of chain.consumers(operator, output)) {
    lines.push(operatorCode(chain, consumer, at));
    if (watched >= 0) lines.push(`if (q${watched}) W.still(${watched}, ${consumer});`);
  }
  return lines.join("\n");
}

function argumentsOf({ record, time, kind }: Record): string {
  return kind === null ? `${record}, ${time}` : `${record}, ${time}, ${kind}`;
}

/** Declares whether the record is watched. */
function watchCode(output: number, { record, look }: Record): string {
  const due = look === "first" ? `W.due(${output})` : `--W.left[${output}] < 0`;
  return `const q${output} = ${due}; if (q${output}) W.look(${output}, ${record});`;
}

/** Everything that happens to a record that enters `index`. */
function operatorCode(chain: ChainShape, index: number, at: Record): string {
  const operator = chain.operators[index];
  switch (operator?.kind) {
    case "map":
      return mapCode(chain, index, at);
    case "filter":
      return filterCode(chain, index, at);
    case "parse":
      return parseCode(chain, index, at);
    case "eventTime":
      return eventTimeCode(chain, index, at);
    case "flatMap":
      return guardedCall(chain, index, at, flatMapCode(index, at));
    case "sink":
      return `at = ${index}; C[${index}] += 1; if (!w${index}.write(${argumentsOf(at)})) S.full = true;`;
    default:
      return combinerCode(chain, index, at);
  }
}

/** The only operator with an object that is reached in a chain. What it lets pass is handed on here, without it. */
function combinerCode(chain: ChainShape, index: number, at: Record): string {
  const combiner = bindingName("o", index);
  return `at = ${index}; if (${combiner}.passing > 0) { ${combiner}.passing -= 1; C[${index}] += 1;
${outputCode(chain, index, "", at)} } else ${combiner}.onRecord(${at.record}, ${at.time});`;
}

function flatMapCode(index: number, { record, time, kind }: Record): string {
  return `p${index}.start(f${index}(${record}), ${time}, ${record}${kind === null ? "" : `, ${kind}`});`;
}

function mapCode(chain: ChainShape, index: number, at: Record): string {
  const result = `r${index}`;
  const after = `u = ${result} == null ? ${index} : -1;
if (${result} instanceof Promise) promised(${index});
${checkCode(chain, index, "", { ...at, record: result })}
C[${index}] += 1;
${outputCode(chain, index, "", { ...at, record: result })}`;
  if (isGuarded(chain, index)) {
    return `let ${result}, ok${index} = true; at = ${index};
try { ${result} = f${index}(${at.record}); } catch (error) { ok${index} = false; threw(${index}, error, ${at.record}, ${at.time}); }
if (ok${index}) { ${after} }`;
  }
  return `at = ${index}; const ${result} = f${index}(${at.record});\n${after}`;
}

/** Holds a record that leaves an operator to its declared type; under checks it is frozen, too. */
function checkCode(chain: ChainShape, operator: number, output: string, { record, look }: Record): string {
  const guard = chain.guard(operator, output);
  const name = look === "next" && !chain.checks ? fieldsGuardName(guard) : guardName(guard);
  const fits =
    guard < 0 ? "" : `if (!${name}(${record}, ${chain.checks || look === "first"})) misfit(${guard}, ${record});`;
  return chain.checks ? `${fits} freeze(${record}, ${operator});` : fits;
}

function filterCode(chain: ChainShape, index: number, at: Record): string {
  const operator = chain.operators[index];
  const options = operator?.options as { expression?: ExprSpec } | null;
  const body = (as: Record): string => `C[${index}] += 1;\n${outputCode(chain, index, "", as)}`;
  if (options?.expression) {
    const probe = operator?.output === null ? `if (p${index}.unseen) p${index}.see(${at.record});` : "";
    const condition = conditionCode(
      options.expression,
      recordField(at.record, () => true),
    );
    return `at = ${index}; ${probe} ${passedCode(chain, index, { at, condition, body })}`;
  }
  const result = `b${index}`;
  const gives = `${at.kind !== null && chain.deletes(index) ? `${at.kind} === 3 || ` : ""}f${index}(${at.record})`;
  const call = isGuarded(chain, index)
    ? `let ${result} = false; at = ${index};
try { ${result} = ${gives}; } catch (error) { threw(${index}, error, ${at.record}, ${at.time}); }`
    : `at = ${index}; const ${result} = ${gives};`;
  return `${call}
${passedCode(chain, index, {
  at,
  condition: result,
  body: (as) => `if (${result} !== true && ${result} instanceof Promise) promised(${index});\n${body(as)}`,
})}`;
}

type Passed = { readonly at: Record; readonly condition: string; readonly body: (as: Record) => string };

/**
 * What becomes of a record, given a filter's condition. Where deletes are asked for, those pass, and an update that
 * does not pass becomes one. Kinds by their numbers, as everywhere in the text (row-kind.ts).
 */
function passedCode(chain: ChainShape, index: number, { at, condition, body }: Passed): string {
  if (at.kind === null || !chain.deletes(index)) return `if (${condition}) { ${body(at)} }`;
  const kind = `k${index}`;
  return `const ${kind} = ${at.kind} === 3 || (${condition}) ? ${at.kind} : ${at.kind} === 2 ? 3 : -1;
if (${kind} >= 0) { ${body({ ...at, kind })} }`;
}

function parseCode(chain: ChainShape, index: number, at: Record): string {
  const result = `r${index}`;
  return `at = ${index}; const ${result} = p${index}.parse(${at.record}, ${at.time});
if (${result} !== INVALID) { ${chain.checks ? `freeze(${result}, ${index});` : ""} C[${index}] += 1;
${outputCode(chain, index, "", { ...at, record: result })} }`;
}

function eventTimeCode(chain: ChainShape, index: number, at: Record): string {
  const options = chain.operators[index]?.options as { field?: string | null } | null;
  const time = `t${index}`;
  const { field } = options ?? {};
  const value = typeof field === "string" ? fieldCode(at.record, field, "?.") : `f${index}(${at.record})`;
  const guarded = `let ${time} = NaN, v${index}, ok${index} = true;
try { v${index} = ${value}; } catch (error) { ok${index} = false; threw(${index}, error, ${at.record}, NaN); }
if (ok${index}) ${time} = p${index}.assign(v${index}, ${at.record});`;
  return `at = ${index}; ${isGuarded(chain, index) ? guarded : `const ${time} = p${index}.assign(${value}, ${at.record});`}
if (${time} === ${time}) { C[${index}] += 1;
${outputCode(chain, index, "", { ...at, time })} }`;
}

function guardedCall(chain: ChainShape, index: number, at: Record, call: string): string {
  if (!isGuarded(chain, index)) return `at = ${index}; ${call}`;
  return `at = ${index}; try { ${call} } catch (error) { threw(${index}, error, ${at.record}, ${at.time}); }`;
}

/** Whether exceptions of this operator's function concern one record only. */
function isGuarded(chain: ChainShape, index: number): boolean {
  return chain.operators[index]?.onError !== "fail";
}

/** The object through which results enter the chain after `operator`; its `offer` is the whole rest of the chain. */
export function outputObjectCode(chain: ChainShape, operator: number, output: string): string {
  const kind = chain.operators[operator]?.kind;
  const count = output === "" && kind === "parse" ? -1 : chain.count(operator, output);
  const counts = count < 0 ? "" : `C[${count}] += 1;`;
  const kinds = chain.kinds(operator, output);
  const at: Record = { record: "record", time: "time", kind: kinds ? "kind" : null, look: "offered" };
  return `{
  offer(record, time${kinds ? ", kind = 0" : ""}) {
    let at = ${operator}, u = -1;
    if (S.failure !== null) return false;
    try {
      ${GIVES_RECORDS.has(kind ?? "sink") ? `if (record instanceof Promise) gave(${operator});` : ""}
      ${checkCode(chain, operator, output, at)}
      ${counts}
      ${outputCode(chain, operator, output, at)}
    } catch (error) { failed(at, error, record, ${operator}, u); }
    return !S.full;
  },
}`;
}

/** Kinds of operators whose functions, or readers, give the records that enter the chain behind them. */
const GIVES_RECORDS: ReadonlySet<OperatorKind> = new Set(["source", "flatMap", "process"]);

export type LoopInput =
  /** `records[i]`, `times[i]` of rows by reference. */
  | { readonly kind: "rows" }
  /** `reader.record(i)` of an encoded batch. */
  | { readonly kind: "batch" }
  /** `f(i)` of a generating source; `source` is the step from one index to the next. */
  | { readonly kind: "generate" };

/** How a keyed head finds the key of `record`. */
export type KeyCode = { readonly field: string | null };

export type LoopOptions = {
  readonly input: LoopInput;
  /** Which input of the head the loop serves. */
  readonly port: 0 | 1;
  /** Of a keyed head. */
  readonly key: KeyCode | null;
  readonly timestamps: boolean;
};

/** Whether the loop gives records to operators itself, and not only to the object at its head. */
export function hasRecordCode({ operators: [head] }: ChainShape): boolean {
  return head !== undefined && !OBJECT_KINDS.has(head.kind);
}

/** Whether the loop is told the kinds of records. */
export function hasKinds(chain: ChainShape, { input }: Pick<LoopOptions, "input">): boolean {
  return input.kind !== "generate" && hasRecordCode(chain) && chain.inputKinds();
}

/**
 * The body of `function loop(source, times, from, to)`, with `kinds` at the end where there are any; it returns the
 * index of the first record not processed.
 */
export function loopCode(chain: ChainShape, options: LoopOptions, look: "first" | "next"): string {
  const isObject = !hasRecordCode(chain);
  if (options.key !== null && isObject) return keyedLoopCode(chain, options, options.key);
  const read = readCode(options, "i");
  const kinds = hasKinds(chain, options);
  const at: Record = { record: "record", time: "time", kind: kinds ? "kind" : null, look };
  const isSource = options.input.kind === "generate";
  const enters = isSource
    ? `if (record instanceof Promise) promised(0);\n${checkCode(chain, 0, "", at)}`
    : chain.checks
      ? "freeze(record, 0);"
      : "";
  const headCode = isObject ? `o0.onRecord(record, time, undefined, 0, ${options.port});` : operatorCode(chain, 0, at);
  return `let at = 0, u = -1, i = from;
try {
  while (i < to) {
    ${options.input.kind === "rows" ? "" : "at = 0;"}
    const record = ${read.record};
    const time = ${read.time};
    ${kinds ? `const kind = ${read.kind};\n    ` : ""}${enters}
    ${isSource ? `C[0] += 1;\n${outputCode(chain, 0, "", at)}` : headCode}
    i += ${isSource ? "source" : "1"};
    if (S.full) break;
  }
} catch (error) { ${isSource ? "broke(at, error, i, u);" : "broke(at, error, source, i, u);"} }
return i;`;
}

/**
 * The loop of a keyed head: run by run, first the keys of all records, then the work. A key that fails ends its run:
 * the records before it are worked on, and then it fails again as the first of the next run.
 */
function keyedLoopCode(chain: ChainShape, options: LoopOptions, { field }: KeyCode): string {
  const { port } = options;
  return `let i = from;
const { records, keys, hashes } = run;
try {
  while (i < to) {
    const first = i;
    let end = Math.min(to, first + run.size), next = first;
    try {
      for (; next < end; next += 1) {
        const record = ${readCode(options, "next").record};
        ${chain.checks ? "freeze(record, 0);" : ""}
        const key = ${field === null ? `key${port}(record)` : fieldCode("record", field, "?.")};
        const hash = hash${port}(key);
        if (hash === DOUBTFUL) doubtful(key, ${port}, record);
        records[next - first] = record; keys[next - first] = key; hashes[next - first] = hash;
      }
    } catch (error) {
      if (next === first) throw error;
      end = next;
    }
    if (o0.prefetch !== undefined) o0.prefetch(hashes, end - first);
    while (i < end) {
      const n = i - first;
      o0.onRecord(records[n], ${readCode(options, "i").time}, keys[n], hashes[n], ${port});
      i += 1;
      if (S.full) break;
    }
    run.end(i - first, end - first);
    if (S.full) break;
  }
} catch (error) { broke(0, error, source, i, -1); }
return i;`;
}

type Read = { readonly record: string; readonly time: string; readonly kind: string };

function readCode({ input, timestamps }: LoopOptions, index: string): Read {
  const read = {
    rows: [`source[${index}]`, `times === null ? NaN : times[${index}]`],
    batch: [`source.record(${index})`, `source.timestamp(${index})`],
    generate: [`f0(${index})`, "NaN"],
  }[input.kind] as [string, string];
  const kind = input.kind === "rows" ? `kinds === null ? 0 : kinds[${index}]` : `source.kind(${index})`;
  return { record: read[0], time: timestamps ? read[1] : "NaN", kind };
}

/** Kinds of operators that run as an object with the operator contract. */
const OBJECT_KINDS: ReadonlySet<string> = new Set(["process", "reduce", "aggregate", "preAggregate", "window"]);
