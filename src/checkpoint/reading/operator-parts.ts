// What operators keep for themselves by key group: windows, sessions, running aggregates, records that wait. Their
// format has no types of its own; the plan of the checkpoint has.

import { isInOrder, optionsOf, type Plan, type PlanOperator } from "../../graph/plan.ts";
import { recordType } from "../../graph/record-type.ts";
import type { NamedAggregate } from "../../operators/aggregates/aggregate-spec.ts";
import { SavedAggregates } from "../../operators/aggregates/saved-aggregates.ts";
import { fieldTypes } from "../../operators/expressions/field-types.ts";
import { WAITING } from "../../operators/in-order/in-order-operator.ts";
import { SESSION_EXTRA } from "../../operators/windows/sessions/session-store.ts";
import { PaneFrame } from "../../operators/windows/time/pane-frame.ts";
import type { PaneWindowSpec, WindowSpec } from "../../operators/windows/time/window-spec.ts";
import { readSortedPart } from "../../state/table/sorted-part.ts";
import { readF64 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader } from "../../types/bytes/codec.ts";
import { keyCodec } from "../../types/keys/key-bytes.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { compileValueProgram } from "../../types/values/value-codec.ts";
import type { RowVisitor } from "./saved-row.ts";

/** Reads a part of one key group. */
export type PartReader = (input: ByteReader, visitor: RowVisitor) => void;

/** Of the parts that operators of the engine attach, by name. */
export function partReaders(plan: Plan, operator: PlanOperator, key: TypeSpec): ReadonlyMap<string, PartReader> {
  // Where its event time stands: no row.
  return new Map<string, PartReader>([...rowReaders(plan, operator, key), ["progress", () => undefined]]);
}

/** Names of the parts of an operator that have rows. */
export function rowParts(plan: Plan, operator: PlanOperator, key: TypeSpec): readonly string[] {
  return rowReaders(plan, operator, key).map(([name]) => name);
}

function rowReaders(plan: Plan, operator: PlanOperator, key: TypeSpec): readonly Named[] {
  const isAggregating = operator.kind === "window" || operator.kind === "aggregate";
  return [
    ...(isAggregating ? [aggregateReader(plan, operator, key)] : []),
    ...(isInOrder(operator) ? [[WAITING, waitingReader(operator, key)] as const] : []),
  ];
}

type Named = readonly [string, PartReader];
type Aggregating = { readonly window?: WindowSpec; readonly aggregates: readonly NamedAggregate[] };

function aggregateReader(plan: Plan, operator: PlanOperator, key: TypeSpec): Named {
  const { window, aggregates: specs } = optionsOf<Aggregating>(operator);
  const fields = fieldTypes(recordType(plan, operator));
  const saved = (namespaced: boolean, extraWords: number): SavedAggregates =>
    new SavedAggregates({ operator: operator.uid, key, specs, fields, namespaced, extraWords });
  if (window === undefined) return runningReader(saved(false, 0));
  return window.kind === "session"
    ? sessionReader(saved(true, SESSION_EXTRA.length))
    : paneReader(window, saved(true, 0));
}

function runningReader(groups: SavedAggregates): Named {
  const state = "aggregates";
  return [
    state,
    (input, { row }) =>
      groups.read(input, ({ key, results }) => row({ state, key, part: {}, value: results, writtenMs: null })),
  ];
}

function sessionReader(sessions: SavedAggregates): Named {
  const state = "sessions";
  return [
    state,
    (input, { row }) => {
      readF64(input); // The watermark of the group.
      sessions.read(input, ({ key, extra, results }) => {
        const part = { start: instant(extra[0]!), end: instant(extra[1]!) };
        row({ state, key, part, value: results, writtenMs: null });
      });
    },
  ];
}

/** Sliding windows are kept in panes, which several windows share. */
function paneReader(window: PaneWindowSpec, panes: SavedAggregates): Named {
  const state = "windows";
  const { clock } = new PaneFrame(window, 0);
  return [
    state,
    (input, { row }) => {
      readF64(input); // The first window that has not ended, and
      readF64(input); // the first one that is kept.
      panes.read(input, ({ key, namespace, results }) => {
        const part = { start: instant(clock.startOf(namespace)), end: instant(clock.startOf(namespace + 1)) };
        row({ state, key, part, value: results, writtenMs: null });
      });
    },
  ];
}

function waitingReader({ uid }: PlanOperator, key: TypeSpec): PartReader {
  const codec = keyCodec(key);
  const readersOf = (types: readonly TypeSpec[]) =>
    types.map((type, index) => compileValueProgram(type, "refuse", `${uid}-${WAITING}-${index}-saved`).read);
  return (input, { row }) =>
    readSortedPart(input, codec, readersOf, ({ key: of, timeMs, arrival, type, value }) => {
      const part = { at: instant(timeMs), arrival, ...(type !== 0 && { input: type }) };
      row({ state: WAITING, key: of, part, value, writtenMs: null });
    });
}

/** A date where it is one: ±Infinity is none. */
export function instant(ms: number): Date | number {
  return Number.isFinite(ms) ? new Date(ms) : ms;
}
