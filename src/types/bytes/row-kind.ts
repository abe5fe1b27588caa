// What a record says of the rows before it: Flink's RowKind, with its numbers.

/**
 * A stream of `insert` alone is one of records that stand for themselves. In a changelog a record changes what stood
 * there: `updateBefore` takes back a row that `updateAfter` replaces, `delete` removes one.
 */
export const ROW_KIND = { insert: 0, updateBefore: 1, updateAfter: 2, delete: 3 } as const;

export type RowKind = (typeof ROW_KIND)[keyof typeof ROW_KIND];
