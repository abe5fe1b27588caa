// TypeScript source split into code, strings and comments, so that the tidy tests can search one without hitting the
// others.
//
//   S1. `code` has the length and the line breaks of the text; what stands inside comments, strings, templates and
//       regular expressions is blanked, their quotes, backticks, `${}` and slashes stay. What is left is still valid
//       TypeScript (a test strips its types, for every file of the repository).
//
// The one guess: a slash after a name, a number, `)` or `]` divides, any other begins a regular expression.

export type SourceText = {
  readonly path: string;
  readonly text: string;
  readonly code: string;
  /** Content of each string, as written, by the offset of its opening quote. */
  readonly strings: ReadonlyMap<number, string>;
  readonly comments: readonly { readonly offset: number; readonly text: string }[];
};

export type Import = { readonly specifier: string; readonly line: number };

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const STRING = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const TEMPLATE_PART = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//y;
/** Before a slash: the end of a value. A keyword such as `return` ends none. */
const VALUE_END = /[\w$)\]]$/;
const KEYWORD_END = /(?:^|[^\w$.])(?:await|case|do|else|in|instanceof|of|return|throw|typeof|void|yield)$/;

/**
 * A dynamic `import()`, `import type`, `export … from`, and files that are loaded by URL, such as workers, count as
 * well.
 */
const IMPORT = new RegExp(
  [
    String.raw`\b(?:from|import)\s*(?=["'])`,
    String.raw`\bimport\s*\(\s*(?=["'])`,
    String.raw`\bimport\.meta\.resolve\(\s*(?=["'])`,
    String.raw`\bnew\s+URL\(\s*(?=["'] *["']\s*,\s*import\.meta\.url)`,
  ].join("|"),
  "g",
);

export function sourceText(path: string, text: string): SourceText {
  const scanner = new Scanner(text);
  scanner.scan();
  return { path, text, code: scanner.code, strings: scanner.strings, comments: scanner.comments };
}

export function importsOf(source: SourceText): readonly Import[] {
  return [...source.code.matchAll(IMPORT)].map((match) => {
    const offset = match.index + match[0].length;
    return { specifier: source.strings.get(offset) ?? "", line: lineAt(source.text, offset) };
  });
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

class Scanner {
  readonly strings = new Map<number, string>();
  readonly comments: { offset: number; text: string }[] = [];
  readonly #text: string;
  /** By open brace: whether its closing one goes on with a template. */
  readonly #braces: boolean[] = [];
  #at = 0;
  code = "";

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    while (this.#at < this.#text.length) this.#step();
  }

  #step(): void {
    const offset = this.#at;
    const comment = this.#take(COMMENT);
    if (comment !== null) {
      this.comments.push({ offset, text: comment });
      this.code += blank(comment);
      return;
    }
    const quoted = this.#take(STRING);
    if (quoted !== null) {
      this.strings.set(offset, quoted.slice(1, -1));
      this.code += blankInside(quoted);
      return;
    }
    const regex = this.#valueEnded() ? null : this.#take(REGEX);
    if (regex !== null) this.code += blankInside(regex);
    else this.#character();
  }

  #character(): void {
    const character = this.#text.charAt(this.#at);
    this.#at += 1;
    this.code += character;
    if (character === "{") this.#braces.push(false);
    else if (character === "`" || (character === "}" && this.#braces.pop() === true)) this.#template();
  }

  /** From after the opening backtick, or after the brace that ends a substitution. */
  #template(): void {
    this.code += blank(this.#take(TEMPLATE_PART) ?? "");
    if (this.#text.startsWith("${", this.#at)) {
      this.#braces.push(true);
      this.code += "${";
      this.#at += 2;
    } else {
      this.code += this.#text.charAt(this.#at);
      this.#at += 1;
    }
  }

  #take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? null;
    this.#at += taken?.length ?? 0;
    return taken;
  }

  #valueEnded(): boolean {
    if (this.#text[this.#at] !== "/") return true;
    const before = this.code.trimEnd().slice(-16);
    return VALUE_END.test(before) && !KEYWORD_END.test(before);
  }
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, " ");
}

function blankInside(text: string): string {
  return text.charAt(0) + blank(text.slice(1, -1)) + text.charAt(text.length - 1);
}
