// Where the parts of a table's row and of its pages lie, in 8-byte words.
//
//   page      header │ row 0 │ row 1 │ …        rows of one key group only, all of the same stride
//   header    i32: rows in use, first free slot (-1), slots ever used, previous and next page with free slots
//             (ordinals, -1), key group, ordinal, 0
//   row       key │ namespace? │ links? │ blob? │ value …
//   key       number keys   f64; a free row has NaN, its low i32 being the next free slot
//             other keys    i32 hash, i32 size │ 16 bytes; a free row has size -1, its first i32 is the next free slot;
//                           of a key of more than 16 bytes the first 8, i32 where it lies in the group's log, i32 0
//   namespace f64
//   links     i32 previous and next row of the namespace (row numbers, -1)
//   blob      i32 where the variable part lies in the group's log (-1: none), i32 its size in bytes
//
// A row number is (ordinal of the page << rowShift | slot). It stays the same as long as the row lives, wherever the
// page lies.

import { assert } from "../../base/errors.ts";
import { PAGE_WORDS } from "../pages/page-allocator.ts";

export type TableSpec = {
  readonly name: string;
  /** Numbers are kept inline as f64; all other keys by their canonical bytes. */
  readonly key: "number" | "bytes";
  /** Whether a second key part follows, a number: a window's pane, the row that owns an entry. */
  readonly namespaced: boolean;
  /** Whether the rows of one namespace are linked, so that they can be visited without looking at others. */
  readonly listed: boolean;
  /** Whether rows have a variable-size part. */
  readonly blob: boolean;
  /** Words of the fixed part, whose meaning is the user's. */
  readonly valueWords: number;
  /** The fixed part of a new row; zeros when null. */
  readonly initial: Float64Array | null;
};

export type RowLayout = {
  readonly namespaceWord: number;
  readonly linkWord: number;
  readonly blobWord: number;
  readonly valueWord: number;
  readonly stride: number;
  readonly rowsPerPage: number;
  readonly rowShift: number;
};

export const PAGE_HEADER_WORDS = 4;
export const PAGE_LIVE = 0;
export const PAGE_FREE = 1;
export const PAGE_SLOTS = 2;
export const PAGE_PREVIOUS = 3;
export const PAGE_NEXT = 4;
export const PAGE_GROUP = 5;
export const PAGE_ORDINAL = 6;

/** Row numbers stay below this: an index entry has 24 bits for them, and 0 means none. */
export const ROW_NUMBERS_MAX = 0xffffff;

/** The most words a fixed part can have: one row must fit in a page. */
const VALUE_WORDS_MAX = PAGE_WORDS - PAGE_HEADER_WORDS - 6;

export function rowLayout(spec: TableSpec): RowLayout {
  const { name, valueWords } = spec;
  assert(valueWords >= 0 && valueWords <= VALUE_WORDS_MAX, `table ${name}: a fixed part of ${valueWords} words`);
  assert(spec.initial === null || spec.initial.length === valueWords, `table ${name}: initial value of another length`);
  assert(spec.namespaced || !spec.listed, `table ${name}: listed without a namespace`);
  const namespaceWord = spec.key === "number" ? 1 : 3;
  const linkWord = namespaceWord + (spec.namespaced ? 1 : 0);
  const blobWord = linkWord + (spec.listed ? 1 : 0);
  const valueWord = blobWord + (spec.blob ? 1 : 0);
  const stride = valueWord + valueWords;
  const rowsPerPage = Math.floor((PAGE_WORDS - PAGE_HEADER_WORDS) / stride);
  return {
    namespaceWord,
    linkWord,
    blobWord,
    valueWord,
    stride,
    rowsPerPage,
    rowShift: 32 - Math.clz32(rowsPerPage - 1),
  };
}
