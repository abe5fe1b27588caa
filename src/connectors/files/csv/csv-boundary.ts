// Where CSV records end, found byte by byte without keeping anything: to cut files into ranges and to skip records that
// are too long.
//
// A table-driven automaton that decides like `CsvScanner` (G1), and can stop anywhere and go on with the next bytes.

import { CR, type CsvDialect, LF } from "../format/csv-dialect.ts";
import type { RecordBoundary } from "../format/record-format.ts";

// States.
const RECORD_START = 0;
const FIELD_START = 1;
const BARE = 2;
const QUOTED = 3;
const QUOTE_SEEN = 4; // In a quoted field, after a quote: the end of it, or the first half of a doubled one.
const ESCAPE_SEEN = 5;
const COMMENT = 6;
const CR_SEEN = 7;
const ENDED = 8; // The byte just read is the last of the record.
const ENDED_BEFORE = 9; // The byte just read is the first of the next one.

// Classes of bytes; 0 is any other.
const DELIMITER = 1;
const IS_LF = 2;
const IS_CR = 3;
const QUOTE = 4;
const ESCAPE = 5;
const COMMENT_SIGN = 6;
const BLANK = 7;

export class CsvBoundary implements RecordBoundary {
  readonly #classes: Uint8Array;
  readonly #table: Uint8Array;
  readonly #quote: number;
  #state: number;

  constructor(dialect: CsvDialect) {
    const classes = new Uint8Array(256);
    const set = (byte: number, kind: number): void => {
      if (byte >= 0) classes[byte] = kind;
    };
    if (dialect.trim) for (const blank of [32, 9]) set(blank, BLANK);
    set(LF, IS_LF);
    set(CR, IS_CR);
    set(dialect.delimiter, DELIMITER);
    set(dialect.quote, QUOTE);
    set(dialect.escape, ESCAPE);
    set(dialect.comment, COMMENT_SIGN);
    this.#classes = classes;
    this.#table = transitions();
    this.#quote = dialect.quote;
    this.#state = RECORD_START;
  }

  reset(): void {
    this.#state = RECORD_START;
  }

  next(bytes: Uint8Array, from: number, to: number): number {
    return this.#run(bytes, from, to, from);
  }

  nextFrom(bytes: Uint8Array, from: number, to: number, atLeast: number): number {
    return this.#run(bytes, this.#jump(bytes, from, Math.min(atLeast, to)), to, atLeast);
  }

  #run(bytes: Uint8Array, from: number, to: number, atLeast: number): number {
    const classes = this.#classes;
    const table = this.#table;
    let state = this.#state;
    for (let position = from; position < to; position += 1) {
      state = table[state * 8 + classes[bytes[position]!]!]!;
      if (state < ENDED) continue;
      const end = state === ENDED ? position + 1 : position;
      state = RECORD_START;
      if (end >= atLeast) {
        this.#state = state;
        return end;
      }
      position = end - 1;
    }
    this.#state = state;
    return -1;
  }

  /**
   * Where there is no quote, every line break ends a record: then the last one before `to` is as good a start as any.
   */
  #jump(bytes: Uint8Array, from: number, to: number): number {
    if (to <= from || this.#state === QUOTED || this.#state === QUOTE_SEEN || this.#state === ESCAPE_SEEN) return from;
    const quote = this.#quote < 0 ? -1 : bytes.indexOf(this.#quote, from);
    if (quote >= 0 && quote < to) return from;
    const lineBreak = Math.max(bytes.lastIndexOf(LF, to - 1), bytes.lastIndexOf(CR, to - 1));
    if (lineBreak < from) return from;
    this.#state = BARE;
    return lineBreak;
  }
}

function transitions(): Uint8Array {
  const table = new Uint8Array(8 * 8);
  const set = (state: number, otherwise: number, exceptions: Readonly<Record<number, number>>): void => {
    for (let kind = 0; kind < 8; kind += 1) table[state * 8 + kind] = exceptions[kind] ?? otherwise;
  };
  const lineEnds = { [IS_LF]: ENDED, [IS_CR]: CR_SEEN };
  const fieldStart = { ...lineEnds, [DELIMITER]: FIELD_START, [QUOTE]: QUOTED, [BLANK]: FIELD_START };
  set(RECORD_START, BARE, { ...fieldStart, [COMMENT_SIGN]: COMMENT });
  set(FIELD_START, BARE, fieldStart);
  set(BARE, BARE, { ...lineEnds, [DELIMITER]: FIELD_START });
  set(QUOTED, QUOTED, { [QUOTE]: QUOTE_SEEN, [ESCAPE]: ESCAPE_SEEN });
  set(QUOTE_SEEN, BARE, { ...lineEnds, [DELIMITER]: FIELD_START, [QUOTE]: QUOTED });
  set(ESCAPE_SEEN, QUOTED, {});
  set(COMMENT, COMMENT, lineEnds);
  set(CR_SEEN, ENDED_BEFORE, { [IS_LF]: ENDED });
  return table;
}
