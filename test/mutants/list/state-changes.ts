import type { Mutant } from "../mutant.ts";

const TYPES = "src/types/values/type-change.ts";
const STATE = "src/state/contract/state-change.ts";
const SAVED = "src/state/store/saved-state.ts";
const CHECK = "src/checkpoint/state-check.ts";
const CHECK_TESTS = ["src/checkpoint/state-check.test.ts"];
const STORE_TESTS = ["src/state/heap/heap-store.test.ts"];
const GOLDEN = ["test/golden/golden-snapshots.test.ts"];

/** Of state that is restored under another declaration, and of state that is read without its job. */
export const STATE_CHANGES: readonly Mutant[] = [
  {
    name: "a bigint that no number is becomes the nearest one",
    file: TYPES,
    find: "bigint <= SAFE && bigint >= -SAFE",
    replace: "bigint <= SAFE * SAFE",
  },
  {
    name: "a field that was optional has a place in one that is not",
    file: TYPES,
    find: "if (before.optional && !now.optional) {",
    replace: "if (before.optional && !now.optional && !isSameType(before.type, now.type)) {",
  },
  {
    name: "a type that has lost a text takes what was stored",
    file: TYPES,
    find: "values.every((value) => to.values.includes(value))",
    replace: "values.some((value) => to.values.includes(value))",
  },
  {
    name: "a migration is asked about what has a place in the declared type, too",
    file: STATE,
    find: "const isOlder = older !== null && !isSameType(from, to) && isSameType(from, older);",
    replace: "const isOlder = older !== null && isSameType(from, older);",
    tests: STORE_TESTS,
  },
  {
    name: "a migration is not asked where its older type has a place in the declared one",
    file: STATE,
    find: 'if (change.kind === "taken" && !isOlder)',
    replace: 'if (change.kind === "taken")',
    tests: STORE_TESTS,
  },
  {
    name: "what was stored without a time to live is as old as the epoch",
    file: SAVED,
    find: "spec.ttlMs === null ? () => clock.nowMs() : readStamp",
    replace: "spec.ttlMs === null ? () => 0 : readStamp",
    tests: STORE_TESTS,
  },
  {
    name: "other aggregates go on with the rows of those before",
    file: CHECK,
    find: "if (differs(before.aggregates.map(specOf), now.aggregates.map(specOf))) {",
    replace: "if (before.aggregates.length !== now.aggregates.length) {",
    tests: CHECK_TESTS,
  },
  {
    name: "a state that has another name begins empty, and nobody is told",
    file: CHECK,
    find: "if (!allowNonRestored) throw leftOver(checked, saved.name);",
    replace: "if (!allowNonRestored && now.state.length === 0) throw leftOver(checked, saved.name);",
    tests: CHECK_TESTS,
  },
  {
    name: "a key of another type finds the state of the one before",
    file: CHECK,
    find: "if (canonicalJson(from ?? ANY) === canonicalJson(to ?? ANY)) continue;",
    replace: 'if ((from ?? ANY).kind === "i32" || canonicalJson(from ?? ANY) === canonicalJson(to ?? ANY)) continue;',
    tests: CHECK_TESTS,
  },
  {
    name: "a snapshot that cannot be taken fails its task",
    file: "src/taskmanager/task/task-checkpoints.ts",
    find: "return { snapshots: [], failure };",
    replace: "throw failure;",
  },
  {
    name: "rows of aggregates say in which slot their sketches lay",
    file: "src/operators/aggregates/aggregate-table.ts",
    find: "writeF64(out, word === slot ? -1 : table.f64[address + word]!);",
    replace: "writeF64(out, table.f64[address + word]!);",
    tests: GOLDEN,
  },
  {
    name: "sessions are read without the words before their accumulators",
    file: "src/operators/aggregates/saved-aggregates.ts",
    find: "const extra = Array.from({ length: extraWords }, () => readF64(input));",
    replace: "const extra = Array.from({ length: extraWords - 1 }, () => readF64(input));",
    tests: GOLDEN,
  },
];
