// One deployed chain: its operators, its generated functions, and the ways watermarks take through it.
//
// Owns: operator objects, drivers, generated code. Does not own: channels, sinks' I/O, scheduling (task.ts).

import { asOperator, assert, type EngineError, withOperator } from "../../base/errors.ts";
import { promiseEmitted, promiseHeld, promiseReturned } from "../../base/synchronous.ts";
import { filterDeletes, inputChangelog } from "../../graph/changelog.ts";
import type { JobGraph, JobVertex } from "../../graph/job-graph.ts";
import { optionsOf, type PlanOperator } from "../../graph/plan.ts";
import type { Emit } from "../../network/emit-code.ts";
import type { NamedAggregate } from "../../operators/aggregates/aggregate-spec.ts";
import type { Operator, Output } from "../../operators/operator.ts";
import { KEY_DOUBTFUL } from "../../types/keys/key-hash.ts";
import { returnedNothing, userFailure } from "../failures/user-failure.ts";
import {
  bindingName,
  type ChainShape,
  exchangeName,
  fieldsGuardName,
  guardName,
  hasKinds,
  hasRecordCode,
  type LoopOptions,
  loopCode,
  outputObjectCode,
} from "./chain-code.ts";
import { countedOutputs } from "./chain-metrics.ts";
import { freezeRecord } from "./freeze.ts";
import { KeyRun } from "./key-run.ts";
import { declaredGuards, type OutputGuard } from "./output-guards.ts";
import type { Difference } from "./record-difference.ts";
import { RecordWatch, recordChanged } from "./record-watch.ts";

/** Set by whatever has no room, cleared by the task. `failure`: an exception kept out of a user function's way (G3). */
export type TaskStatus = { full: boolean; failure: EngineError | null };

/** What `parse` gives for a record that is not valid. */
export const INVALID: unique symbol = Symbol("invalid");

/** Loop over a batch; returns the index of the first record not processed. */
export type Loop = (
  source: unknown,
  times: Float64Array | null,
  from: number,
  to: number,
  kinds?: Uint8Array | null,
) => number;

export type KeyedInput = {
  readonly field: string | null;
  readonly key: unknown;
  readonly hash: (key: unknown) => number;
  readonly doubtful: (key: unknown, record: unknown) => void;
};

export type ChainOptions = {
  readonly vertex: JobVertex;
  /** Job, vertex and subtask: makes generated texts unique. */
  readonly name: string;
  /** Emit functions of the task's exchanges, and which (operator uid, output) feeds each. */
  readonly exchanges: readonly ChainExchange[];
  /** The source gives records that fit its type. */
  readonly sourceFits: boolean;
  readonly checks: boolean;
  readonly status: TaskStatus;
  /** Records that left each output, in the order of `countedOutputs`. */
  readonly counts: Float64Array;
  /** User functions, operators, sink drivers and other drivers by operator index. */
  readonly bindings: readonly ChainBinding[];
  /** A guarded operator's function threw on a record. */
  readonly onSkipped: (operator: number, error: unknown, record: unknown, timestampMs: number) => void;
  readonly graph: Pick<JobGraph, "plan" | "changelogs">;
  /** Key of each input of a keyed head. */
  readonly keys: readonly (KeyedInput | null)[];
};

/** `whole`: it sends whole records of declared type, and refuses those that do not fit. */
export type ChainExchange = {
  readonly from: string;
  readonly output: string;
  readonly emit: Emit;
  readonly whole: boolean;
};

export type ChainBinding = {
  readonly f?: unknown;
  readonly o?: Operator;
  readonly w?: unknown;
  readonly p?: unknown;
};

export class Chain {
  readonly shape: ChainShape;
  readonly options: ChainOptions;
  readonly #outputs = new Map<string, Output>();
  readonly #names: readonly string[];
  readonly #values: readonly unknown[];
  readonly #guards: readonly OutputGuard[];
  readonly #watch: RecordWatch;
  #loops = 0;

  constructor(options: ChainOptions) {
    this.options = options;
    this.#guards = declaredGuards(options.vertex.operators, options.name, ({ kind, uid }, output) =>
      kind === "source" && output === "" && options.sourceFits
        ? true
        : !options.checks && options.exchanges.some((to) => to.from === uid && to.output === output && to.whole),
    );
    this.#watch = new RecordWatch(options.counts.length, {
      onChanged: this.#onChanged.bind(this),
      onPromise: (output, path) => withOperator(promiseHeld(path), this.#operatorOf(output)),
    });
    this.shape = chainShape(options, this.#guards);
    const scope = this.#scope();
    this.#names = [...scope.keys()];
    this.#values = [...scope.values()];
    this.#compileOutputs();
  }

  get operators(): readonly PlanOperator[] {
    return this.options.vertex.operators;
  }

  /** At the end of the input. Throws when a record that was looked at has been changed. */
  endWatch(): void {
    this.#watch.end();
  }

  /** The entry behind an operator's output: `offer` runs the rest of the chain. */
  output(operator: number, name: string): Output {
    const output = this.#outputs.get(`${operator}:${name}`);
    assert(output !== undefined, `operator ${operator} has no output "${name}"`);
    return output;
  }

  /** Compiles the loop for one kind of input and one shape of records. */
  compileLoop(options: LoopOptions): Loop {
    this.#loops += 1;
    const next = this.#compile(options, "next");
    if (this.options.checks || !hasRecordCode(this.shape)) return next;
    const first = this.#compile(options, "first");
    const { status } = this.options;
    return (source, times, from, to, kinds) => {
      if (from >= to) return from;
      const at = first(source, times, from, from + 1, kinds);
      return status.full || at >= to ? at : next(source, times, at, to, kinds);
    };
  }

  #compile(options: LoopOptions, look: "first" | "next"): Loop {
    const title = `${this.options.name} loop ${this.#loops} ${look}`;
    const text = `"use strict"; // ${JSON.stringify(title)}
return function loop(source, times, from, to${hasKinds(this.shape, options) ? ", kinds" : ""}) {
${loopCode(this.shape, options, look)}
};
//# sourceURL=millrace-chain-${encodeURIComponent(title)}.js`;
    const generating = options.input.kind === "generate";
    const recordAt = { rows: recordOfRows, batch: recordOfBatch, generate: null }[options.input.kind];
    const broke = (at: number, error: unknown, source: unknown, index: number, nothing: number): never => {
      throw this.#failure(at, error, recordAt?.(source, index), nothing);
    };
    const brokeGenerating = (at: number, error: unknown, index: number, nothing: number): never => {
      throw this.#failure(at, error, at === 0 ? { index } : this.#generated(index), nothing);
    };
    const make = new Function(...this.#names, "broke", text);
    return make(...this.#values, generating ? brokeGenerating : broke) as Loop;
  }

  #compileOutputs(): void {
    const entries: string[] = [];
    const keys: string[] = [];
    this.operators.forEach((operator, index) => {
      for (const name of ["", ...operator.sides.map((side) => side.name)]) {
        keys.push(`${index}:${name}`);
        entries.push(`// ${JSON.stringify(`${operator.uid} ${name}`)}\n${outputObjectCode(this.shape, index, name)}`);
      }
    });
    const text = `"use strict"; // ${JSON.stringify(`${this.options.name} outputs`)}
return [
${entries.join(",\n")}
];
//# sourceURL=millrace-chain-${encodeURIComponent(`${this.options.name} outputs`)}.js`;
    const outputs = new Function(...this.#names, text)(...this.#values) as Output[];
    outputs.forEach((output, index) => {
      this.#outputs.set(keys[index] ?? "", output);
    });
  }

  #scope(): Map<string, unknown> {
    const { options } = this;
    const scope = new Map<string, unknown>([
      ["S", options.status],
      ["C", options.counts],
      ["W", this.#watch],
      ["INVALID", INVALID],
      ["DOUBTFUL", KEY_DOUBTFUL],
      ["freeze", (record: unknown, at: number) => asOperator(this.#operatorAt(at).uid, () => freezeRecord(record))],
      ["promised", (at: number) => this.#promised(at)],
      ["gave", (at: number) => this.#gave(at)],
      ["misfit", (guard: number, record: unknown) => this.#guards[guard]?.refuse(record)],
      ["failed", this.#failed.bind(this)],
      ["threw", options.onSkipped],
      ["run", new KeyRun()],
      ["doubtful", (key: unknown, port: number, record: unknown) => options.keys[port]?.doubtful(key, record)],
    ]);
    options.keys.forEach((key, port) => {
      scope.set(`key${port}`, key?.key);
      scope.set(`hash${port}`, key?.hash);
    });
    options.bindings.forEach((binding, index) => {
      for (const prefix of ["f", "o", "w", "p"] as const) scope.set(bindingName(prefix, index), binding[prefix]);
    });
    this.#guards.forEach(({ fits, fieldsFit }, index) => {
      scope.set(guardName(index), fits);
      scope.set(fieldsGuardName(index), fieldsFit);
    });
    options.exchanges.forEach((exchange, index) => {
      scope.set(exchangeName(index), exchange.emit);
    });
    return scope;
  }

  #operatorAt(at: number): PlanOperator {
    const operator = this.operators[at];
    assert(operator !== undefined, `no operator ${at} in the chain`);
    return operator;
  }

  #onChanged(output: number, change: Difference, by: number | null): Error {
    if (by !== null) {
      const { kind, name, uid } = this.#operatorAt(by);
      return recordChanged(`${kind} "${name}"`, change, { operator: uid });
    }
    const operator = this.#operatorOf(output);
    return recordChanged(`"${operator}", or an operator that it gives records to,`, change, { operator });
  }

  /** The operator whose records leave by a counted output. */
  #operatorOf(output: number): string {
    const { vertex, exchanges } = this.options;
    const { operator } = countedOutputs(vertex, exchanges)[output] ?? {};
    assert(operator !== undefined, `no output ${output}`);
    return operator;
  }

  #promised(at: number): never {
    const { kind, name, uid } = this.#operatorAt(at);
    throw promiseReturned(`the function of ${kind} "${name}"`, { operator: uid });
  }

  #gave(at: number): never {
    const { kind, name, uid } = this.#operatorAt(at);
    throw promiseEmitted(`${kind} "${name}"`, { operator: uid });
  }

  /** Operator `at` failed on what operator `from` emitted. A failure that names no operator concerns the latter. */
  #failed(at: number, error: unknown, record: unknown, from: number, nothing: number): void {
    const failure = withOperator(error, this.#operatorAt(from).uid);
    this.options.status.failure ??= this.#failure(at, failure, record, nothing);
    this.options.status.full = true;
  }

  /** `nothing`: the map that ran last, if it returned undefined or null; else -1. */
  #failure(at: number, error: unknown, record: unknown, nothing: number): EngineError {
    const isRead = nothing === at || (nothing >= 0 && this.shape.consumers(nothing, "").includes(at));
    const returned = isRead ? returnedNothing(this.#operatorAt(nothing), error, record) : null;
    return returned ?? userFailure(this.#operatorAt(at), error, record);
  }

  /** Makes a record of a generating source again, for an error: records depend on their index alone. */
  #generated(index: number): unknown {
    const generate = this.options.bindings[0]?.f as (index: number) => unknown;
    try {
      return generate(index);
    } catch {
      return { index };
    }
  }
}

function chainShape(options: ChainOptions, guards: readonly OutputGuard[]): ChainShape {
  const { operators, chained } = options.vertex;
  const { plan, changelogs } = options.graph;
  const uidOf = (operator: number): string => operators[operator]?.uid ?? "";
  const indexOf = new Map(operators.map((operator, index) => [operator.uid, index]));
  const counted = countedOutputs(options.vertex, options.exchanges);
  const shape: ChainShape = {
    name: options.name,
    operators,
    checks: options.checks,
    kinds: (operator, output) =>
      plan.edges.some((edge) => {
        return edge.from === uidOf(operator) && edge.output === output && changelogs.get(edge)?.kind !== "append";
      }),
    inputKinds: () => inputChangelog(plan, changelogs, { uid: uidOf(0) }).kind !== "append",
    deletes: (index) => {
      const filter = operators[index]!;
      return filterDeletes(plan, filter, inputChangelog(plan, changelogs, filter));
    },
    watches: (operator, output) => !options.checks && !isSinksOwn(shape, operator, output),
    guard: (operator, output) => guards.findIndex((each) => each.operator === operator && each.output === output),
    consumers: (operator, output) =>
      chained
        .filter((edge) => edge.from === operators[operator]?.uid && edge.output === output)
        .map((edge) => indexOf.get(edge.to) ?? -1),
    exchanges: (operator, output) =>
      options.exchanges.flatMap((exchange, index) =>
        exchange.from === operators[operator]?.uid && exchange.output === output ? [index] : [],
      ),
    count: (operator, output) =>
      counted.findIndex((each) => each.operator === operators[operator]?.uid && each.output === output),
  };
  return shape;
}

/** Results that are, or hold, what users made. */
const HOLDS_USERS_VALUES: ReadonlySet<string> = new Set(["first", "last", "minBy", "maxBy", "collect", "custom"]);

/**
 * Rows of numbers that the engine makes for one sink: nobody else holds them. While nothing but the sink looks at them
 * V8 need not make objects of them; where they are watched it has to (10 % of bench case `keyed-sum`).
 */
function isSinksOwn(chain: ChainShape, operator: number, output: string): boolean {
  const from = chain.operators[operator];
  if ((from?.kind !== "aggregate" && from?.kind !== "window") || output !== "") return false;
  const [consumer = -1, ...others] = chain.consumers(operator, output);
  const isAlone = others.length === 0 && chain.exchanges(operator, output).length === 0;
  const { aggregates } = optionsOf<{ readonly aggregates: readonly NamedAggregate[] }>(from);
  return (
    isAlone &&
    chain.operators[consumer]?.kind === "sink" &&
    !aggregates.some(({ spec }) => HOLDS_USERS_VALUES.has(spec.kind))
  );
}

function recordOfRows(source: unknown, index: number): unknown {
  return (source as readonly unknown[])[index];
}

function recordOfBatch(source: unknown, index: number): unknown {
  return (source as { record(index: number): unknown }).record(index);
}
