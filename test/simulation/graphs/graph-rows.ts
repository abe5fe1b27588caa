// What the operators of a random graph do with a record: the same functions for the engine and for the interpreter.

import type { Row } from "./graph.ts";

export const mapped = (by: number, { id, tag, at }: Row): Row => ({ id: id + by, tag: `${tag}m`, at });

export const passes = (modulus: number, { id }: Row): boolean => id % modulus !== 0;

export function* expanded(times: number, { id, tag, at }: Row): Generator<Row> {
  for (let i = 0; i < times; i += 1) yield { id, tag: `${tag}.${i}`, at };
}

export const keyOf = (modulus: number, { id }: Row): number => id % modulus;

/** A record that a keyed function has seen. */
export const seen = ({ id, tag, at }: Row): Row => ({ id, tag: `${tag}c`, at });

/** How many it has seen, which has no time. */
export const countedRow = (key: number, count: number): Row => ({ id: count, tag: `k${key}`, at: 0 });

/** A record whose timer has fired. */
export const fired = ({ id, tag }: Row, at: number): Row => ({ id, tag: `${tag}t`, at });

export const isAside = ({ id }: Row): boolean => id % 3 === 0;

export type WindowResult = {
  readonly key: number;
  readonly start: number;
  readonly end: number;
  readonly n: number;
  readonly high: number;
};

/** Results have the last millisecond that belongs to their windows as their time. */
export function windowRow({ key, start, end, n, high }: WindowResult, endBelongs: boolean): Row {
  return { id: n, tag: `w${key}@${start}-${end}:${high}`, at: endBelongs ? end : end - 1 };
}
