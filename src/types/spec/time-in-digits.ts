// Days and clocks written in digits alone, 20260105 and 20260105100059, which look like epoch milliseconds and hardly
// ever are: as such they lie in 35 minutes of 1970-01-01, and in the 26th century.

const DAYS_FROM = 19_000_101;
const DAYS_TO = 21_000_000;
/** The digits of a clock behind those of a day. */
const CLOCK = 1e6;

/** Whether a number is the digits of a day from 1900 to 2099, or of such a day and a clock. Budget: 1 ns. */
export function isTimeInDigits(value: number): boolean {
  if (value < DAYS_FROM) return false;
  if (value < DAYS_TO) return timeInDigits(value) !== null;
  return value >= DAYS_FROM * CLOCK && value < DAYS_TO * CLOCK && timeInDigits(value) !== null;
}

/** `2026-01-05` of 20260105, `2026-01-05T10:00:59` of 20260105100059, also with milliseconds; null: of no digits. */
export function timeInDigits(value: number): string | null {
  const match = /^((?:19|20)\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)(?:\d{3})?)?$/.exec(String(value));
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  if (!isWithin(month, 1, 12) || !isWithin(day, 1, 31)) return null;
  if (hour === undefined) return `${year}-${month}-${day}`;
  const isClock = isWithin(hour, 0, 23) && isWithin(minute, 0, 59) && isWithin(second, 0, 59);
  return isClock ? `${year}-${month}-${day}T${hour}:${minute}:${second}` : null;
}

function isWithin(digits: string | undefined, least: number, most: number): boolean {
  return Number(digits) >= least && Number(digits) <= most;
}
