// What the chain's loop calls for each operator: user functions, operator objects and drivers, the latter also by kind
// for the task around the loop.

import { asOperator } from "../../base/errors.ts";
import { asksForDeletes } from "../../graph/changelog.ts";
import { optionsOf, type PlanOperator } from "../../graph/plan.ts";
import { recordType } from "../../graph/record-type.ts";
import { IssueCounts } from "../../metrics/issue-counts.ts";
import type { Operator } from "../../operators/operator.ts";
import type { IndexedSource, InvalidPolicy } from "../../operators/source.ts";
import type { StandardSchema } from "../../types/spec/standard-schema.ts";
import type { Chain, ChainBinding } from "../chain/chain.ts";
import { filterProbe } from "../chain/filter-probe.ts";
import type { EventTimeDriver } from "../drivers/event-time-driver.ts";
import { FlatMapDriver } from "../drivers/flat-map-driver.ts";
import { ParseDriver } from "../drivers/parse-driver.ts";
import type { SinkDriver } from "../drivers/sink-driver.ts";
import { concernsRecord, messageOf, userFailure } from "../failures/user-failure.ts";
import { combinerBuild } from "./combiner-build.ts";
import { eventTimeBuild } from "./event-time-build.ts";
import { operatorBuild } from "./operator-build.ts";
import { sinkBuild } from "./sink-build.ts";
import type { Subtask } from "./subtask.ts";

type OnThrow = (error: unknown, record: unknown, timestampMs: number) => void;

/** An operator object and where it stands in the chain; likewise drivers. */
export type PlacedOperator = { readonly index: number; readonly operator: Operator };
type Placed<Driver> = { readonly index: number; readonly driver: Driver };

export class Bindings {
  readonly #subtask: Subtask;
  readonly #list: ChainBinding[] = [];
  readonly #flatMaps: Placed<FlatMapDriver>[] = [];
  readonly #parses: Placed<ParseDriver>[] = [];
  readonly #eventTimes: Placed<EventTimeDriver>[] = [];
  readonly #sinks: SinkDriver[] = [];
  readonly #operators: PlacedOperator[] = [];
  #chain: Chain | null = null;

  constructor(subtask: Subtask) {
    this.#subtask = subtask;
  }

  /** By operator, in the order of the chain; so are the others. */
  get list(): readonly ChainBinding[] {
    return this.#list;
  }

  get flatMaps(): readonly FlatMapDriver[] {
    return this.#flatMaps.map(({ driver }) => driver);
  }

  get eventTimes(): readonly Placed<EventTimeDriver>[] {
    return this.#eventTimes;
  }

  get sinks(): readonly SinkDriver[] {
    return this.#sinks;
  }

  get operators(): readonly PlacedOperator[] {
    return this.#operators;
  }

  /** Makes what belongs to each operator; what was made before a failure is there to be closed. */
  make(): void {
    this.#subtask.vertex.operators.forEach((operator, index) => {
      this.#list.push(asOperator(operator.uid, () => this.#binding(operator, index)));
    });
  }

  /** Drivers that emit get the chain behind them. */
  connect(chain: Chain): void {
    this.#chain = chain;
    for (const { index, driver } of this.#parses) {
      if (this.#subtask.operatorAt(index).sides.some((side) => side.name === "invalid"))
        driver.invalid = chain.output(index, "invalid");
    }
    for (const { index, driver } of this.#flatMaps) driver.output = chain.output(index, "");
  }

  /** Counts a record on which a user function threw, and sets it aside when the policy says so. */
  skipped(index: number): OnThrow {
    const operator = this.#subtask.operatorAt(index);
    const counts = new IssueCounts(this.#subtask.scope(operator.uid));
    return (error, record, timestampMs) => {
      if (!concernsRecord(error)) throw userFailure(operator, error, record);
      const message = messageOf(error);
      counts.add([message]);
      if (operator.onError === "side")
        this.#chain?.output(index, "errors").offer({ record, error: message }, timestampMs);
    };
  }

  #binding(operator: PlanOperator, index: number): ChainBinding {
    const functions = this.#subtask.functions(operator.uid);
    switch (operator.kind) {
      case "source":
        return { f: (functions.source as Partial<IndexedSource<unknown>>).generate };
      case "map":
        return { f: functions.map };
      case "filter":
        return { f: functions.filter, p: filterProbe(operator) };
      case "flatMap":
        return { f: functions.flatMap, p: this.#flatMap(operator, index) };
      case "parse":
        return { p: this.#parse(operator, index) };
      case "eventTime":
        return { f: functions.at, p: this.#eventTime(operator, index) };
      case "sink":
        return { w: this.#sink(operator) };
      case "preAggregate":
        return { o: this.#operator(this.#combiner(operator), index) };
      default:
        return { o: this.#operator(this.#ofPlan(operator, index), index) };
    }
  }

  #flatMap(operator: PlanOperator, index: number): FlatMapDriver {
    const { status, turn } = this.#subtask;
    const skipped = this.skipped(index);
    const onThrow: OnThrow = (error, record, timestampMs) => {
      if (operator.onError === "fail") throw userFailure(operator, error, record);
      skipped(error, record, timestampMs);
    };
    const driver = new FlatMapDriver({ uid: operator.uid, status, turn, onThrow });
    this.#flatMaps.push({ index, driver });
    return driver;
  }

  #parse(operator: PlanOperator, index: number): ParseDriver {
    const { uid } = operator;
    const driver = new ParseDriver({
      uid,
      schema: this.#subtask.functions(uid).schema as StandardSchema,
      policy: optionsOf<{ invalid: InvalidPolicy }>(operator).invalid,
      counts: new IssueCounts(this.#subtask.scope(uid)),
    });
    this.#parses.push({ index, driver });
    return driver;
  }

  #eventTime(operator: PlanOperator, index: number): EventTimeDriver {
    const { context, vertex } = this.#subtask;
    const skipped = this.skipped(index);
    const driver = eventTimeBuild({
      graph: context.graph,
      vertex,
      operator,
      scope: this.#subtask.scope(operator.uid),
      log: context.env.log,
      onMisfit: (record, error) => skipped(error, record, NaN),
    });
    this.#eventTimes.push({ index, driver });
    return driver;
  }

  #sink(operator: PlanOperator): SinkDriver {
    const driver = sinkBuild(this.#subtask, operator);
    this.#sinks.push(driver);
    return driver;
  }

  #operator(operator: Operator, index: number): Operator {
    this.#operators.push({ index, operator });
    return operator;
  }

  #combiner(operator: PlanOperator): Operator {
    const { context, bufferTimeoutMs, name } = this.#subtask;
    const functions = this.#subtask.functions(operator.uid);
    return combinerBuild({ graph: context.graph, operator, functions, bufferTimeoutMs, name });
  }

  #ofPlan(operator: PlanOperator, index: number): Operator {
    const { plan, context } = this.#subtask;
    return operatorBuild({
      operator,
      mode: plan.mode,
      functions: this.#subtask.functions(operator.uid),
      input: recordType(plan, operator),
      rightInput: recordType(plan, operator, 1),
      isRead: (side) => plan.edges.some((edge) => edge.from === operator.uid && edge.output === side),
      isKept: asksForDeletes(plan, operator.uid),
      checks: context.checks,
      onThrow: operator.onError === "fail" ? null : this.skipped(index),
    });
  }
}
