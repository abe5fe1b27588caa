// What the oracle job reads: known in advance, to the job and to whoever checks what it wrote.

export type OracleEvent = { readonly device: string; readonly value: number; readonly at: number };

export const OUT_OF_ORDER_MS = 500;
export const SESSION_GAP_MS = 700;
export const SILENT_MS = 900;

const DEVICES = 7;
const START = Date.UTC(2026, 0, 5);

/** Event time goes on 10 ms with each event, which comes up to half a second too early or too late. */
export function eventOf(n: number): OracleEvent {
  const jitter = ((n * 7_919) % 49) * 10;
  const at = START + n * 10 - jitter;
  // Each device is silent for a second and a half of every eight, in turn: its events are those of its neighbour then.
  const device = Math.floor(n / 3) % DEVICES;
  const second = Math.floor(at / 1_000);
  const isSilent = (second + device) % 8 < 2;
  return { device: `d${isSilent ? (device + 4) % DEVICES : device}`, value: (n * 13) % 101, at };
}
