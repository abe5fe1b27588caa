// Key groups of one operator, decoded by what they and the plan of their checkpoint say, without the job.
//
//   G1. All bytes of a group are accounted for: what cannot be decoded is told with its size, and what is left over at
//       the end is CODEC_CORRUPT.

import type { Plan, PlanOperator } from "../../graph/plan.ts";
import { readKeyBytes, readMore } from "../../state/format/state-snapshot.ts";
import { type SavedContent, savedContent } from "../../state/store/saved-content.ts";
import { headerOf, readHeaderText, type SavedHeader } from "../../state/store/saved-header.ts";
import { ByteCursor, corrupt, readByte, readF64, readString, readU32, take } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader } from "../../types/bytes/codec.ts";
import { type KeyCodec, keyCodec } from "../../types/keys/key-bytes.ts";
import { instant, type PartReader, partReaders } from "./operator-parts.ts";
import { type RowVisitor, TIMERS } from "./saved-row.ts";

type Schema = {
  readonly header: SavedHeader;
  readonly codec: KeyCodec;
  readonly states: readonly { readonly name: string; readonly read: (input: ByteReader) => SavedContent }[];
  readonly parts: ReadonlyMap<string, PartReader>;
};

export class GroupReader {
  readonly #plan: Plan;
  readonly #operator: PlanOperator;
  /** Of the group that was read last: those of one operator have one header. */
  #last: { readonly text: string; readonly schema: Schema } | null = null;

  constructor(plan: Plan, operator: PlanOperator) {
    this.#plan = plan;
    this.#operator = operator;
  }

  /** Type of its keys, and its declared states, as the group has them. */
  header(bytes: Buffer): SavedHeader {
    return this.#schema(new ByteCursor(bytes)).header;
  }

  /** G1 */
  read(bytes: Buffer, visitor: RowVisitor): void {
    const input = new ByteCursor(bytes);
    const { codec, states, parts } = this.#schema(input);
    for (const { name, read } of states) {
      while (readMore(input)) contentRows(name, readKeyBytes(input, codec), read(input), visitor);
    }
    while (readMore(input)) timerRow(readKeyBytes(input, codec), input, visitor);
    while (readMore(input)) {
      const name = readString(input);
      const size = readU32(input);
      const start = take(input, size);
      const read = parts.get(name);
      if (read === undefined) visitor.undecoded(name, size);
      else read(new ByteCursor(bytes, start, start + size), visitor);
    }
    if (input.position !== input.end) corrupt(`${input.end - input.position} bytes behind the end of a key group`);
  }

  #schema(input: ByteReader): Schema {
    const text = readHeaderText(input);
    if (this.#last?.text !== text) this.#last = { text, schema: this.#schemaFor(headerOf(text)) };
    return this.#last.schema;
  }

  #schemaFor(header: SavedHeader): Schema {
    return {
      header,
      codec: keyCodec(header.key),
      states: header.states.map((spec) => ({ name: spec.name, read: savedContent(spec) })),
      parts: partReaders(this.#plan, this.#operator, header.key),
    };
  }
}

function contentRows(state: string, key: unknown, content: SavedContent, { row }: RowVisitor): void {
  if (content.kind === "map") {
    for (const { key: entry, value, writtenMs } of content.entries) {
      row({ state, key, part: { entry }, value, writtenMs });
    }
    return;
  }
  const value = content.kind === "list" ? content.items : content.value;
  row({ state, key, part: {}, value, writtenMs: content.writtenMs });
}

function timerRow(key: unknown, input: ByteReader, { row }: RowVisitor): void {
  const domain = readByte(input) === 0 ? "event" : "processing";
  const part = { timer: readString(input), domain };
  row({ state: TIMERS, key, part, value: instant(readF64(input)), writtenMs: null });
}
