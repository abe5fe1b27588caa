// How much room a control message takes, near enough to hold it to a limit.

const NUMBER_BYTES = 8;
const CHARACTER_BYTES = 2;

type Data = Readonly<Record<string, unknown>>;

/** Bytes that travel: shared memory does not. */
export function messageBytes(value: unknown): number {
  if (typeof value === "string") return value.length * CHARACTER_BYTES;
  if (typeof value !== "object" || value === null) return NUMBER_BYTES;
  if (value instanceof SharedArrayBuffer) return NUMBER_BYTES;
  if (value instanceof ArrayBuffer) return value.byteLength;
  if (ArrayBuffer.isView(value)) return value.buffer instanceof ArrayBuffer ? value.byteLength : NUMBER_BYTES;
  let bytes = NUMBER_BYTES;
  if (Array.isArray(value) || value instanceof Map) for (const part of value) bytes += messageBytes(part);
  else for (const name of Object.keys(value)) bytes += messageBytes(name) + messageBytes((value as Data)[name]);
  return bytes;
}
