import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "./seeded-random.ts";

const draws = (random: SeededRandom, count = 8): number[] => Array.from({ length: count }, () => random.next());

test("one seed gives one stream, another seed another, and every draw is from 0 to below 1", () => {
  const stream = draws(new SeededRandom(7), 1_000);
  assert.deepEqual(draws(new SeededRandom(7), 1_000), stream);
  assert.notDeepEqual(draws(new SeededRandom(8), 1_000), stream);
  assert.ok(stream.every((value) => value >= 0 && value < 1));
  assert.equal(new Set(stream).size, 1_000);
});

test("a stream started at an index depends on that and the seed alone", () => {
  const random = new SeededRandom(1);
  const started = (seed: number, index: number): number[] => {
    random.restart(seed, index);
    return draws(random);
  };
  const first = started(7, 5);
  started(9, 2);
  random.next();
  assert.deepEqual(started(7, 5), first);
  const others = [started(7, 6), started(8, 5), started(7, 5 + 2 ** 32), started(7, 0)];
  assert.equal(new Set([first, ...others].map(String)).size, 5);
});

test("whole numbers below a bound are all drawn, about as often", () => {
  const random = new SeededRandom(3);
  const counts = [0, 0, 0, 0, 0];
  for (let n = 0; n < 10_000; n += 1) counts[random.below(5)]! += 1;
  for (const count of counts) assert.ok(count > 1_800 && count < 2_200, `${counts}`);
});
