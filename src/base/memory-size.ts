// Memory sizes as users write them ("64mb", "1.5 gb", "32kb") and as people read them ("1.5 GiB"). Units are powers of
// 1024, as in Flink.

const KIB = 1024;
const UNIT_BYTES: Readonly<Record<string, number>> = { "": 1, k: KIB, m: KIB ** 2, g: KIB ** 3, t: KIB ** 4 };
const PATTERN = /^(\d+(?:\.\d+)?)\s*(?:b|bytes?|([kmgt])(?:i?b)?)?$/i;

/** Bytes of a memory size; null when the text is not one or does not come to a whole number of bytes. */
export function memorySizeParse(text: string): number | null {
  const match = PATTERN.exec(text.trim());
  if (match === null) return null;
  const bytes = Number(match[1]) * (UNIT_BYTES[(match[2] ?? "").toLowerCase()] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** For people: at most two decimals, 1_610_612_736 is "1.5 GiB". */
export function memorySizeText(bytes: number): string {
  let unit = 0;
  let amount = bytes;
  while (Math.abs(amount) >= KIB && unit < 4) {
    amount /= KIB;
    unit += 1;
  }
  return `${Math.round(amount * 100) / 100} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

/** Exact, in the largest unit that divides it: what a configuration file should say. */
export function memorySizeExact(bytes: number): string {
  for (const unit of ["t", "g", "m", "k"]) {
    const size = UNIT_BYTES[unit] ?? 1;
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}b`;
  }
  return `${bytes}b`;
}
