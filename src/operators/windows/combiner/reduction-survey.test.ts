import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mixEnd } from "../../../types/keys/key-hash.ts";
import { ReductionSurvey, type SurveyOptions } from "./reduction-survey.ts";

const OPTIONS = { paysFrom: 32, judgeAfter: 1_024, rowsMax: 20_000 };

/** Records of so many keys in turn, until something is known; how many it took, and what it is. */
function surveyed(keys: number, given: Partial<SurveyOptions> & { readonly paneOf?: (n: number) => number } = {}) {
  const { paneOf = () => 0, ...options } = given;
  const survey = new ReductionSurvey({ ...OPTIONS, ...options });
  let pane = paneOf(0);
  for (let n = 0; n < 2_000_000; n += 1) {
    if (paneOf(n) > pane) survey.complete(paneOf(n));
    pane = paneOf(n);
    survey.add(mixEnd(n % keys, 0), pane);
    const pays = survey.pays();
    if (pays !== null) return { pays, records: n + 1 };
  }
  return { pays: null, records: Infinity };
}

describe("a survey of the reduction", () => {
  test("says that it pays as soon as groups have records enough, however many groups there are", () => {
    assert.deepEqual(surveyed(1), { pays: true, records: 1_024 });
    assert.deepEqual(surveyed(100), { pays: true, records: 3_200 });
    for (const keys of [1_000, 5_000, 15_000]) {
      const { pays, records } = surveyed(keys);
      assert.equal(pays, true);
      assert.ok(records > 31 * keys && records <= 32 * keys, `${keys} keys: ${records} records`);
    }
  });

  test("says that it does not, once enough groups are complete and had few", () => {
    for (const each of [1, 3, 31]) {
      const { pays, records } = surveyed(5_000, { paneOf: (n) => Math.floor(n / (5_000 * each)) });
      assert.deepEqual({ pays, records }, { pays: false, records: 5_000 * each + 1 }, `${each} records each`);
    }
    assert.equal(surveyed(5_000, { paneOf: (n) => Math.floor(n / (5_000 * 40)) }).pays, true);
  });

  test("says that it does not when there would be no room for the rows before they stand for enough", () => {
    const { pays, records } = surveyed(1_000_000);
    assert.equal(pays, false);
    assert.ok(records < 40_000, `${records} records`);
  });

  test("does not wait for ever: what has not shown in a million records that it pays does not", () => {
    assert.deepEqual(surveyed(20, { paneOf: (n) => (n % 3 === 0 ? n : n - (n % 3)), judgeAfter: 2 ** 30 }).pays, false);
    assert.equal(surveyed(10, { judgeAfter: 2 ** 30 }).records, 2 ** 20);
  });

  test("forgets what is complete, and waits for it where groups are few", () => {
    const survey = new ReductionSurvey(OPTIONS);
    assert.equal(survey.isEmpty, true);
    for (let key = 0; key < 50; key += 1) survey.add(mixEnd(key, 0), key % 2);
    survey.complete(1);
    assert.deepEqual([survey.isEmpty, survey.pays()], [false, null]);
    survey.complete(Infinity);
    assert.deepEqual([survey.isEmpty, survey.pays()], [true, null]);
    for (let key = 0; key < 14; key += 1) survey.add(mixEnd(key, 0), 3);
    survey.complete(Infinity);
    assert.equal(survey.pays(), false);
  });
});
