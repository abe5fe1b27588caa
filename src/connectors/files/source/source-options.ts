// Options of files that a source would ignore: refused when it starts, because the same object can be a sink.

import { areStdin } from "../../../base/disk.ts";
import type { EngineError } from "../../../base/errors.ts";
import { withoutEffect } from "../../../types/check-options.ts";
import { optionInvalid } from "../format/csv-dialect.ts";

export type SourceOptions = {
  readonly paths: readonly string[];
  /** Only a sink heeds them. */
  readonly sinkOnly: readonly string[];
  /** Options as given that need a type of the records, of those that were given. */
  readonly typedOnly: readonly string[];
  readonly isTyped: boolean;
  /** Whether a size of pieces was given that is not the default. */
  readonly isSplit: boolean;
  readonly inTimeOrder: boolean;
  /** Of all its files, by an option: they are read from their start to their end. */
  readonly isCompressed: boolean;
  readonly isTranscoded: boolean;
};

export function checkSourceOptions(options: SourceOptions): void {
  const [sinkOnly] = options.sinkOnly;
  if (sinkOnly !== undefined) throw optionInvalid(`${sinkOnly} of a source`, "leave it out: only a sink heeds it");
  const [typedOnly] = options.typedOnly;
  if (typedOnly !== undefined && !options.isTyped) {
    throw withoutEffect(
      typedOnly,
      "on a source without a type: each of its cells is the text as it stands there",
      "declare the type of the records, { type: t.struct({ … }) }, or leave it out",
    );
  }
  const unread = options.isSplit ? uncut(options) : null;
  if (unread !== null) throw unread;
  if (options.inTimeOrder && areStdin(options.paths)) {
    throw withoutEffect("inTimeOrder", "on standard input", "leave it out: one stream is in order by itself");
  }
}

/** What is read as a whole is not cut into pieces. */
function uncut({ paths, isCompressed, isTranscoded }: SourceOptions): EngineError | null {
  const what = areStdin(paths)
    ? "standard input"
    : isCompressed
      ? "compressed files"
      : isTranscoded
        ? "files in another encoding than UTF-8"
        : null;
  return what === null ? null : withoutEffect("splitSize", `on ${what}`, "leave it out: they are read as a whole");
}
