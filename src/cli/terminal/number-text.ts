// Numbers as people read them at a glance.

/** "5 104", "1.24 M": at most three digits once it is above ten thousand. */
export function countText(count: number): string {
  if (count < 10_000) return grouped(Math.round(count));
  const [unit, size] = count < 999_500 ? ["k", 1e3] : count < 999_500_000 ? ["M", 1e6] : (["G", 1e9] as const);
  const amount = count / size;
  return `${amount.toFixed(amount < 9.995 ? 2 : amount < 99.95 ? 1 : 0)} ${unit}`;
}

/** "5,104": every digit. */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

/** "0.42 s", "12.3 s", "3m 12s". */
export function elapsedText(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(2)} s`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const parts = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const [hours = 0, minutes = 0, rest = 0] = parts;
  return hours > 0 ? `${hours}h ${minutes}m ${rest}s` : `${minutes}m ${rest}s`;
}
