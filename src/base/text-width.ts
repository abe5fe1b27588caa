// How wide text is on a terminal, in columns: East Asian letters and pictures take two, combining signs none. Pure.
//
// By Unicode's East Asian Width (UAX 11) in ranges wide enough for what people write; a terminal of another opinion
// about a rare sign shows its line a column off.

const ASCII = /^[\x20-\x7e]*$/;
const WIDE =
  /^(?:[\u1100-\u115F\u2329\u232A\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE10-\uFE19]|[\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6]|[\u{16FE0}-\u{1B2FF}\u{1F200}-\u{1F2FF}\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation})/u;
const PICTURE = /\uFE0F/;
const NOTHING = /^[\p{Mark}\p{Control}\p{Format}]*$/u;

let segmenter: Intl.Segmenter | null = null;

/** Made for the first text that needs one: it takes 20 ms, in each thread of a job. */
function graphemes(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return segmenter.segment(text);
}

export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += graphemeWidth(segment);
  return width;
}

/** With blanks behind it, or before it, up to `width` columns. */
export function padTextEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

export function padTextStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - textWidth(text))) + text;
}

/** As much of it as fits into `width` columns; what is cut ends in `mark`. */
export function cutText(text: string, width: number, mark = "…"): string {
  if (textWidth(text) <= width) return text;
  let cut = "";
  let left = width - textWidth(mark);
  for (const { segment } of graphemes(text)) {
    left -= graphemeWidth(segment);
    if (left < 0) break;
    cut += segment;
  }
  return cut + mark;
}

function graphemeWidth(grapheme: string): number {
  if (NOTHING.test(grapheme)) return 0;
  return WIDE.test(grapheme) || PICTURE.test(grapheme) ? 2 : 1;
}
