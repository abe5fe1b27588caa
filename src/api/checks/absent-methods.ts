// What people know from other engines and libraries, and what there is instead: told at run time, and by the compiler.

const KEYED = "key it first: .keyBy(…)";
const JOINS = "a.keyBy(…).connect(b.keyBy(…)).process({ state, onLeft, onRight }) joins two streams";
const UNIQUE =
  "a .keyBy(…).process(…) that emits the first record of each key drops the others; distinctCount(…) counts them";
const FIRST =
  "bound the source, generate(n, …) for example, or filter by a field; print({ table: { last: 20 } }) shows a few rows";
const AGGREGATES = '.keyBy(…).aggregate({ n: count(), s: sum("…"), … }); of all records: .keyBy(() => "all", t.string)';
const EACH = ".map(…) works on each record; a sink of your own takes the results: .to(uid, sink)";
const SORTED =
  ".keyBy(…).inOrder() gives the records of each key in event-time order; collect() lists them sorted in a window";

const TIMES = '.eventTime({ at: "ts", outOfOrder: "5s" }) says when records happened, and how late they may come';
const ROWS =
  '.to("uid", rows()) hands the records to the program that started the job; the aggregate collect(…) lists those of a key';

/** By name of the method. */
export const ABSENT_METHODS = {
  join: JOINS,
  coGroup: JOINS,
  merge: "a.union(b) is all records of both",
  concat: "a.union(b) is all records of both",
  distinct: UNIQUE,
  unique: UNIQUE,
  dedupe: UNIQUE,
  take: FIRST,
  limit: FIRST,
  count: AGGREGATES,
  sum: AGGREGATES,
  min: AGGREGATES,
  max: AGGREGATES,
  mean: AGGREGATES,
  groupBy: '.keyBy("…") groups the records by a key',
  fold: ".keyBy(…).reduce(uid, (left, right) => …) folds the records of a key",
  scan: ".keyBy(…).reduce(uid, (left, right) => …) folds the records of a key",
  forEach: EACH,
  tap: EACH,
  peek: EACH,
  sort: SORTED,
  orderBy: SORTED,
  where: ".filter(…) keeps the records for which something is true",
  select: ".map(…) makes other records of them",
  windowAll: '.keyBy(() => "all", t.string).window(…) puts all records into the same windows',
  countWindow: "windows are of event time: .keyBy(…).window(…); a .keyBy(…).process(…) can count records in its state",
  withWatermark: TIMES,
  assignTimestampsAndWatermarks: TIMES,
  flatten: ".flatMap((list) => list) gives what is in each list",
  collect: ROWS,
  toArray: ROWS,
  print: '.to("uid", print()) shows the records',
  addSink: '.to("uid", sink) ends a stream in a sink',
  pipe: '.to("uid", sink) ends a stream in a sink',
  sink: '.to("uid", sink) ends a stream in a sink',
  sinkTo: '.to("uid", sink) ends a stream in a sink',
} as const;

/** Of the methods that a keyed stream has. */
type KeyedMethod = "aggregate" | "window" | "reduce" | "process" | "connect" | "inOrder";

/** No such method: the compiler shows the text, which says what there is instead. */
type Absent<Text extends string> = (this: Text, ...given: never[]) => never;

/** Methods that a stream has not, each with what there is instead. */
export type AbsentMethods = {
  /** @deprecated There is no such method. */
  readonly [Name in keyof typeof ABSENT_METHODS]: Absent<`there is no ${Name}: ${(typeof ABSENT_METHODS)[Name]}`>;
} & { readonly [Name in KeyedMethod]: Absent<`${typeof KEYED}.${Name}(…)`> };
