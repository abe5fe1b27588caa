// Records as lines of text files. CSV and JSON Lines implement it; the file writer knows no format.

export interface RowEncoder {
  /** What stands at the start of a file whose first record this is. Called before `line`. */
  begin(record: unknown): string;
  /** The record with its line break. Throws a UserError for what the format cannot hold. */
  line(record: unknown): string;
}
