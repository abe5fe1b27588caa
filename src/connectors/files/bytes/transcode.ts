// Text in other encodings than UTF-8, chunk by chunk, by the platform's TextDecoder.

import { TextDecoder } from "node:util";
import { UserError } from "../../../base/errors.ts";

/** The name of the encoding as TextDecoder knows it; null for UTF-8, undefined when there is none of that name. */
export function encodingOf(label: string): string | null | undefined {
  try {
    const { encoding } = new TextDecoder(label);
    return encoding === "utf-8" ? null : encoding;
  } catch {
    return undefined;
  }
}

/** The text as UTF-8. UTF-16 is in the byte order that its byte order mark says, little-endian without one. */
export async function* utf8Chunks(
  file: string,
  encoding: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let decoder: TextDecoder | null = null;
  let held = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (decoder === null) {
      held = Buffer.concat([held, chunk]);
      if (held.length < 2) continue; // Too little to tell a byte order mark.
      decoder = decoderOf(encoding, held);
      yield decode(file, decoder, held);
    } else {
      yield decode(file, decoder, chunk);
    }
  }
  const last = decoder ?? decoderOf(encoding, held);
  if (decoder === null) yield decode(file, last, held);
  yield decode(file, last, undefined);
}

function decoderOf(encoding: string, [first, second]: Uint8Array): TextDecoder {
  const isBigEndian = encoding === "utf-16le" && first === 0xfe && second === 0xff;
  return new TextDecoder(isBigEndian ? "utf-16be" : encoding, { fatal: true });
}

/** `undefined`: the text has ended. */
function decode(file: string, decoder: TextDecoder, bytes: Uint8Array | undefined): Buffer {
  try {
    return Buffer.from(decoder.decode(bytes, { stream: bytes !== undefined }), "utf8");
  } catch (error) {
    throw new UserError("ENCODING_INVALID", `${file} is not valid ${decoder.encoding}`, {
      fix: "name the encoding that the file has with the option `encoding`",
      cause: error,
    });
  }
}
