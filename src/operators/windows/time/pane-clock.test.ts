import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { PaneClock } from "./pane-clock.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** Starts of the panes around an instant, as ISO texts. */
function starts(clock: PaneClock, around: string, from: number, to: number): string[] {
  const pane = clock.paneOf(Date.parse(around));
  const all = [];
  for (let n = from; n <= to; n += 1) all.push(new Date(clock.startOf(pane + n)).toISOString().slice(0, 16));
  return all;
}

/** Clocks show it a second time: it is in the pane of `within`, also when it is asked for first. */
function assertHeld(clock: PaneClock, again: string, within: string): void {
  for (const elsewhere of [0, Date.parse(within)]) {
    clock.paneOf(elsewhere);
    const pane = clock.paneOf(Date.parse(again));
    assert.ok(clock.startOf(pane) <= Date.parse(within) && Date.parse(again) < clock.startOf(pane + 1), again);
  }
}

describe("panes", () => {
  test("without a zone are multiples of their size, moved by the offset", () => {
    const clock = new PaneClock(7 * DAY, 4 * DAY, null);
    assert.deepEqual(starts(clock, "2024-05-15T13:00Z", 0, 1), ["2024-05-13T00:00", "2024-05-20T00:00"]); // Mondays
    assert.equal(clock.paneOf(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
    assert.equal(clock.paneOf(Number.NEGATIVE_INFINITY), Number.NEGATIVE_INFINITY);
  });

  test("of a day start at local midnight when clocks are put forward and back", () => {
    const clock = new PaneClock(DAY, 0, "America/New_York");
    assert.deepEqual(starts(clock, "2024-03-10T12:00Z", 0, 2), [
      "2024-03-10T05:00",
      "2024-03-11T04:00",
      "2024-03-12T04:00",
    ]);
    assert.deepEqual(starts(clock, "2024-11-03T12:00Z", 0, 2), [
      "2024-11-03T04:00",
      "2024-11-04T05:00",
      "2024-11-05T05:00",
    ]);
  });

  test("of an hour lose the hour that is skipped and double the one that comes twice", () => {
    const clock = new PaneClock(HOUR, 0, "Europe/Berlin");
    // 02:00 to 03:00 does not exist on that day: a pane of no length.
    assert.deepEqual(starts(clock, "2024-03-31T00:30Z", 0, 3), [
      "2024-03-31T00:00",
      "2024-03-31T01:00",
      "2024-03-31T01:00",
      "2024-03-31T02:00",
    ]);
    // 02:00 to 03:00 comes twice.
    assert.deepEqual(starts(clock, "2024-10-27T00:30Z", -1, 1), [
      "2024-10-26T23:00",
      "2024-10-27T00:00",
      "2024-10-27T02:00",
    ]);
  });

  test("follow zones that change by half an hour, at midnight, or skip a day", () => {
    const howe = new PaneClock(HOUR, 0, "Australia/Lord_Howe");
    assert.deepEqual(starts(howe, "2024-04-06T14:10Z", 0, 2), [
      "2024-04-06T14:00",
      "2024-04-06T15:30",
      "2024-04-06T16:30",
    ]);
    const paulo = new PaneClock(DAY, 0, "America/Sao_Paulo");
    assert.deepEqual(starts(paulo, "2018-11-04T12:00Z", -1, 1), [
      "2018-11-03T03:00",
      "2018-11-04T03:00",
      "2018-11-05T02:00",
    ]);
    const apia = new PaneClock(DAY, 0, "Pacific/Apia"); // had no 30 December 2011
    assert.deepEqual(starts(apia, "2011-12-30T09:00Z", 0, 2), [
      "2011-12-29T10:00",
      "2011-12-30T10:00",
      "2011-12-30T10:00",
    ]);
  });

  test("of an hour hold what comes twice in the last one that had begun, where clocks are put back by less or more or between hours", () => {
    // At 03:45 it was 02:45: 02:45 to 03:00 came a second time during the hour of 03:00, which had begun.
    const chatham = new PaneClock(HOUR, 0, "Pacific/Chatham");
    assert.deepEqual(starts(chatham, "2024-04-06T12:20Z", 0, 3), [
      "2024-04-06T12:15",
      "2024-04-06T13:15",
      "2024-04-06T15:15",
      "2024-04-06T16:15",
    ]);
    assertHeld(chatham, "2024-04-06T14:05Z", "2024-04-06T13:20Z");
    // At 03:00 it was 01:00: that and 02:00 came a second time before it was 03:00.
    const troll = new PaneClock(HOUR, 0, "Antarctica/Troll");
    assert.deepEqual(starts(troll, "2024-10-26T23:20Z", 0, 3), [
      "2024-10-26T23:00",
      "2024-10-27T00:00",
      "2024-10-27T03:00",
      "2024-10-27T04:00",
    ]);
    for (const again of ["01:10", "02:10"]) assertHeld(troll, `2024-10-27T${again}Z`, "2024-10-27T00:10Z");
  });

  test("of the first and the last time that there is are found in every zone", () => {
    for (const zone of ["Europe/Berlin", "Pacific/Kiritimati", "America/New_York", "UTC", null]) {
      for (const size of [HOUR, DAY, 7 * DAY]) {
        const clock = new PaneClock(size, 0, zone);
        for (const at of [-8.64e15, -8.64e15 + 1, 8.64e15 - 1, 8.64e15]) {
          const pane = clock.paneOf(at);
          assert.ok(clock.startOf(pane) <= at && at < clock.startOf(pane + 1), `${zone} ${size} ${at}`);
          assert.ok(clock.startOf(pane + 1) - clock.startOf(pane) <= size + HOUR, `${zone} ${size} ${at}`);
        }
      }
    }
  });

  test("of long ago follow local clocks of then, to the second", () => {
    // Amsterdam was 19 min 32 s ahead until 1 July 1937, and an hour more in summer.
    const amsterdam = new PaneClock(DAY, 0, "Europe/Amsterdam");
    const start = amsterdam.startOf(amsterdam.paneOf(Date.parse("1900-03-01T12:00Z")));
    const localOf = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Amsterdam", timeStyle: "medium" });
    assert.equal(localOf.format(start), "00:00:00");
    for (const [zone, at] of [
      ["Europe/Paris", "1815-06-18T12:00Z"],
      ["Asia/Manila", "1844-12-01T12:00Z"],
      ["America/Juneau", "1867-10-01T12:00Z"],
      ["Europe/Rome", "0033-04-03T15:00Z"],
      ["Europe/Rome", "-000043-03-15T11:00Z"],
      ["UTC", "-000043-03-15T11:00Z"],
    ] as const) {
      const clock = new PaneClock(DAY, 0, zone);
      const pane = clock.paneOf(Date.parse(at));
      assert.ok(clock.startOf(pane) <= Date.parse(at) && Date.parse(at) < clock.startOf(pane + 1), `${zone} ${at}`);
      assert.ok(clock.startOf(pane + 1) - clock.startOf(pane) <= 48 * HOUR, `${zone} ${at}`);
      const week = new PaneClock(7 * DAY, 4 * DAY, zone);
      const monday = new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "long" });
      assert.equal(monday.format(week.startOf(week.paneOf(Date.parse(at)))), "Monday", `${zone} ${at}`);
      const shown = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeStyle: "medium" });
      assert.equal(shown.format(clock.startOf(pane)), "00:00:00", `${zone} ${at}`);
    }
  });

  test("of a week start on local Mondays with an offset of 4 days", () => {
    const clock = new PaneClock(7 * DAY, 4 * DAY, "Asia/Tokyo");
    assert.deepEqual(starts(clock, "2024-05-15T13:00Z", 0, 1), ["2024-05-12T15:00", "2024-05-19T15:00"]);
  });

  test("cover time without gaps in any zone, and hold the instants that lie in them", () => {
    const zones = [
      "UTC",
      "America/New_York",
      "Europe/Dublin",
      "Australia/Lord_Howe",
      "Africa/Casablanca",
      "Asia/Kathmandu",
      "America/St_Johns",
      "Pacific/Chatham",
      "Antarctica/Troll",
      "Asia/Manila",
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(null, ...zones),
        fc.constantFrom(HOUR / 2, HOUR, 6 * HOUR, DAY, 7 * DAY),
        fc.integer({ min: 0, max: 48 }).map((halves) => halves * (HOUR / 2)),
        fc.array(
          fc.integer({ min: -4_000_000_000, max: 2_000_000_000 }).map((seconds) => seconds * 1_000),
          { minLength: 1, maxLength: 4 },
        ),
        (zone, size, offset, instants) => {
          const clock = new PaneClock(size, offset, zone);
          for (const instant of instants) {
            const pane = clock.paneOf(instant);
            assert.equal(clock.paneOf(instant), pane);
            assert.ok(clock.startOf(pane) <= instant && instant < clock.startOf(pane + 1));
            assert.ok(clock.startOf(pane - 1) <= clock.startOf(pane));
            assert.ok(clock.startOf(pane + 1) - clock.startOf(pane) <= size + 3 * HOUR || instant < 0);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
