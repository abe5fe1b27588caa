import assert from "node:assert/strict";
import { test } from "node:test";
import { inProgressName, inProgressOf, partName, partOf, sinkId } from "./part-names.ts";

const file = { subtask: 12, number: 34_567, job: "0123456789abcdef", attempt: 8 };

test("what a name says is read back from it, also beyond the leading zeros", () => {
  for (const number of [0, 99_999, 123_456]) {
    const part = partOf(partName({ ...file, number, extension: "csv" }));
    assert.deepEqual(part, { ...file, number, job: "01234567" });
  }
  assert.deepEqual(inProgressOf(inProgressName({ ...file, uid: "out" })), {
    subtask: 12,
    number: 34_567,
    sink: sinkId("out"),
    job: file.job,
    attempt: 8,
  });
});

test("names of parts sort as they were written, and those of two attempts, jobs or sinks differ", () => {
  const name = (number: number): string => partName({ ...file, number, extension: "csv" });
  const numbers = [0, 9, 10, 99, 100, 99_999];
  assert.deepEqual(numbers.map(name).sort(), numbers.map(name));
  const names = [file, { ...file, attempt: 9 }, { ...file, job: "1123456789abcdef" }].flatMap((each) => [
    partName({ ...each, extension: "csv" }),
    inProgressName({ ...each, uid: "one" }),
    inProgressName({ ...each, uid: "two" }),
  ]);
  assert.equal(new Set(names).size, 9);
  const uids = Array.from({ length: 1_000 }, (_, n) => `sink-${n % 100}-of-${Math.floor(n / 100)}`);
  assert.equal(new Set(uids.map(sinkId)).size, uids.length);
});
