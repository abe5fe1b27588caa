// The samples of a page of the documentation, and what is to be done with each.
//
// A sample is a fenced block. What stands behind the language is a file name: "```ts job.ts". All files of a page lie
// in one folder, so that they can name each other; commands run there.
//
//   ts     a module: a job, a test, a configuration file, or anything else that can be loaded
//   sh     commands, one a line; "# exit code 2" behind one says how it ends, if not with 0
//   text   lines of the output of the commands of the block before, each at most once, in any order; "…" is no line.
//          Of `explain`: all lines in their order, "…" standing for those left out
//   other languages are input for the rest when they have a name; without one they are pictures

export type SampleFile = {
  readonly name: string;
  readonly text: string;
  /** Of the fence in the page, from 1. */
  readonly line: number;
  readonly kind: "job" | "test" | "config" | "module" | "data";
  /** The page says that it ends with Ctrl-C. */
  readonly endless: boolean;
};

export type SampleCommand = {
  readonly command: string;
  readonly line: number;
  readonly exitCode: number;
};

export type SampleSession = {
  readonly line: number;
  readonly commands: readonly SampleCommand[];
  /** Null when the page shows none. */
  readonly output: readonly string[] | null;
};

export type PageSamples = {
  readonly path: string;
  readonly files: readonly SampleFile[];
  readonly sessions: readonly SampleSession[];
};

type Block = { readonly language: string; readonly name: string | null; readonly text: string; readonly line: number };

/** A line of a sample that stands for any number of lines. */
export const GAP = "…";

const FENCED = /^```([^\S\n]*\S*)[^\S\n]*(.*)\n([\s\S]*?)^```[^\S\n]*$/gm;
/** Commands that need the network, or a place of their own. Whatever is neither this nor the other is refused. */
const NOT_RUN = /^(npm (ci|init|install|pkg)\b|mkdir )/;
const RUN = /^([A-Z_]+=\S+ )*(npx millrace|node|cat) /;

export function pageSamples(path: string, markdown: string): PageSamples {
  const blocks = blocksOf(markdown);
  const files = blocks.filter(isFile).map(sampleFile);
  const twice = files.find(({ name }, index) => files.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw new Error(`${path}:${twice.line}: the page has ${twice.name} twice`);
  const sessions = blocks.flatMap((block, index): SampleSession[] => {
    if (block.language !== "sh") return [];
    const next = blocks[index + 1];
    return [{ line: block.line, commands: commandsOf(path, block), output: outputOf(next) }];
  });
  return { path, files, sessions };
}

function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(FENCED)].map(({ 1: language = "", 2: name = "", 3: text = "", index }) => {
    const line = markdown.slice(0, index).split("\n").length;
    return { language: language.trim(), name: name.trim() === "" ? null : name.trim(), text, line };
  });
}

function isFile({ language, name }: Block): boolean {
  return language === "ts" || (name !== null && language !== "sh");
}

function sampleFile({ language, name, text, line }: Block): SampleFile {
  const kind = language === "ts" ? moduleKind(text) : language === "json" && /"\w+\.\w+/.test(text) ? "config" : "data";
  return { name: name ?? `line-${line}.ts`, text, line, kind, endless: text.includes("until Ctrl-C") };
}

function moduleKind(text: string): SampleFile["kind"] {
  if (/^export default job\(/m.test(text)) return "job";
  if (/^import .* from "node:test";$/m.test(text)) return "test";
  return /^export default defineConfig\(/m.test(text) ? "config" : "module";
}

function commandsOf(path: string, { text, line }: Block): readonly SampleCommand[] {
  return text.split("\n").flatMap((written, index): SampleCommand[] => {
    const [, command = "", comment = ""] = /^(.*?)(?:\s+#\s(.*))?$/.exec(written.trim()) ?? [];
    if (command === "" || command.startsWith("#") || NOT_RUN.test(command)) return [];
    const at = line + 1 + index;
    if (!RUN.test(command)) throw new Error(`${path}:${at}: no rule says whether this is to be run: ${command}`);
    return [{ command, line: at, exitCode: Number(/^exit code (\d+)/.exec(comment)?.[1] ?? 0) }];
  });
}

function outputOf(block: Block | undefined): readonly string[] | null {
  return block?.language === "text" && block.name === null ? outputLines(block.text) : null;
}

/** Lines as they are compared: what differs from run to run is left out. */
export function outputLines(text: string): readonly string[] {
  return text
    .split("\n")
    .map(
      (line) =>
        line
          .trimEnd()
          .replace(/(finished|failed|stopped|cancelled) after .*/, "$1")
          .replace(/^( {2}speed) .*/, "$1")
          .replace(/^(plan) [0-9a-f]+.*/, "$1")
          .replace(/(?<=\S) {2,}/g, "  "), // Columns are as wide as their content, which may depend on the machine.
    )
    .filter((line) => line !== "")
    .map((line) => (line.trim() === GAP ? GAP : line));
}
