// Command lines: what commands take, checked with "did you mean", and their help texts. Pure.

import { parseArgs } from "node:util";
import { UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";

export type OptionSpec = {
  /** "flag" takes no value; "optional" may have one; "values" may be given several times. */
  readonly takes: "flag" | "value" | "values" | "optional";
  readonly short?: string;
  /** What stands for the value in the help: "n". */
  readonly value?: string;
  readonly help: string;
  /** Options that ask for something else in its place. */
  readonly excludes?: readonly string[];
};

export type CommandSpec = {
  /** One or two words. */
  readonly name: string;
  readonly summary: string;
  /** What the one positional argument is: "job.ts". */
  readonly positional: string | null;
  readonly positionalOptional?: boolean;
  /** What has to come behind it: ["uid", "state"]. */
  readonly further?: readonly string[];
  /** Options that have to be given. */
  readonly needs?: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly example: string;
};

export type CommandLine = {
  readonly command: CommandSpec;
  /** Empty when there is none. */
  readonly positional: string;
  readonly flags: ReadonlySet<string>;
  /** What came behind the positional argument, as the command wants it. */
  readonly further: readonly string[];
  /** Values by option, in the order given. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly help: boolean;
  /** As they were given, behind the command's name. */
  readonly args: readonly string[];
};

/** What users type: npm puts `millrace` itself on the PATH of scripts only. */
export const PROGRAM = "npx millrace";

const HELP: OptionSpec = { takes: "flag", short: "h", help: "this text" };

/** The command that `given` begins with, and its arguments. Throws CLI_* errors. */
export function commandLineParse(given: readonly string[], commands: readonly CommandSpec[]): CommandLine {
  const args = wholeCommand(given, commands);
  const begun = commands.filter(({ name }) => args.slice(0, words(name)).join(" ") === name);
  const command = begun.sort((left, right) => words(right.name) - words(left.name))[0];
  if (command === undefined) throw unknownCommand(args, commands);
  const options: Readonly<Record<string, OptionSpec>> = { ...command.options, help: HELP };
  const own = args.slice(words(command.name));
  const { tokens } = parseArgs({
    args: withEmptyValues(own, options),
    options: Object.fromEntries(
      Object.entries(options).map(([name, { takes, short }]) => [
        name,
        { type: takes === "flag" ? ("boolean" as const) : ("string" as const), ...(short !== undefined && { short }) },
      ]),
    ),
    strict: false, // Its errors know no "did you mean".
    tokens: true,
  });
  const positionals: string[] = [];
  const flags = new Set<string>();
  const values: Record<string, string[]> = {};
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const value = optionValue(command, options[token.name], token);
    if (value === null) flags.add(token.name);
    else values[token.name] = [...(values[token.name] ?? []), value];
  }
  checkExclusive(command, flags);
  if (!flags.has("help")) checkNeeded(command, values);
  const help = flags.has("help");
  const [first = "", ...further] = help ? [] : checkedPositionals(command, positionals);
  return { command, positional: first, further, flags, values, help, args: own };
}

/** What takes a value that may be left out, and has none, gets an empty one: the next option is not its value. */
function withEmptyValues(args: readonly string[], options: Readonly<Record<string, OptionSpec>>): string[] {
  return args.map((arg, index) => {
    const isOptional = arg.startsWith("--") && options[arg.slice(2)]?.takes === "optional";
    return isOptional && (args[index + 1] ?? "-").startsWith("-") ? `${arg}=` : arg;
  });
}

/** The last value given; null for none. */
export function lastValue(line: CommandLine, option: string): string | null {
  return line.values[option]?.at(-1) ?? null;
}

/** `key=value` pairs of an option; of equal keys the last wins. */
export function pairs(line: CommandLine, option: string): Record<string, string> {
  const found: [string, string][] = (line.values[option] ?? []).map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1)];
    throw new UserError("CLI_OPTION_VALUE", `${shown(option)} ${text} is no pair`, {
      fix: `write ${shown(option)} name=value`,
    });
  });
  return Object.fromEntries(found);
}

/**
 * Another command about the same job, to be typed into a shell. Without `-D`, which may hold what is not to be shown.
 */
export function nextCommand(line: CommandLine, name: string): string {
  const options = ["param", "parallelism", "config", "checkpoint-dir"].flatMap((option) => {
    return (line.values[option] ?? []).map((value) => {
      return value.startsWith("-") ? quoted(`${shown(option)}=${value}`) : `${shown(option)} ${quoted(value)}`;
    });
  });
  return [PROGRAM, name, quoted(line.positional), ...options].join(" ");
}

/** As a shell takes it for one word. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `docs` is where the page about the command line lies. */
export function commandHelp(command: CommandSpec, docs: string): string {
  const { summary, options, example } = command;
  const rows = Object.entries({ ...options, help: HELP }).map(([option, spec]) => {
    return [`  ${shown(option)}${valueText(spec)}`, spec.help] as const;
  });
  return `${summary}\n\nusage    ${PROGRAM} ${withArgument(command)} [options]\n\n${columns(rows)}\n\nexample  ${example}\ndocs     ${docs}`;
}

export function overviewHelp(commands: readonly CommandSpec[], docs: string): string {
  const rows = commands.map((command) => [`  ${withArgument(command)}`, command.summary] as const);
  return `millrace: stateful stream and batch processing on Node.js

usage    ${PROGRAM} <command> [options]

${columns(rows)}

  --help     this text; after a command, its options
  --version  the version

example  ${commands[0]?.example ?? ""}
docs     ${docs}`;
}

function valueText({ takes, value }: OptionSpec): string {
  if (value === undefined) return "";
  return takes === "optional" ? ` [${value}]` : ` ${value}`;
}

function withArgument({ name, positional: argument, positionalOptional, further = [] }: CommandSpec): string {
  if (argument === null) return name;
  return positionalOptional === true ? `${name} [${argument}]` : [name, argument, ...further].join(" ");
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`).join("\n");
}

type OptionToken = {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
};

/** Null for a flag. */
function optionValue(command: CommandSpec, spec: OptionSpec | undefined, token: OptionToken): string | null {
  const { rawName, value, inlineValue } = token;
  const fix = `see ${PROGRAM} ${command.name} --help`;
  if (spec === undefined) throw unknownOption(command, token);
  if (spec.takes === "optional" && value === "") return null;
  if (spec.takes === "flag") {
    if (value === undefined) return null;
    throw new UserError("CLI_OPTION_VALUE", `${rawName} takes no value, but "${value}" was given`, { fix });
  }
  // What looks like the next option was not meant as a value, unless it is written with "=".
  if (value !== undefined && (inlineValue === true || !/^--?[a-z]/i.test(value))) return value;
  throw new UserError("CLI_OPTION_VALUE", `${rawName} needs a value`, {
    fix: `write ${rawName} ${spec.value ?? "value"}`,
  });
}

function checkExclusive({ name, options }: CommandSpec, flags: ReadonlySet<string>): void {
  for (const flag of flags) {
    const other = options[flag]?.excludes?.find((excluded) => flags.has(excluded));
    if (other === undefined) continue;
    throw new UserError("CLI_OPTIONS_EXCLUSIVE", `millrace ${name} takes either ${shown(flag)} or ${shown(other)}`, {
      fix: "leave one of them out",
    });
  }
}

function checkNeeded({ name, needs = [], options }: CommandSpec, values: CommandLine["values"]): void {
  const missing = needs.find((each) => values[each] === undefined);
  if (missing === undefined) return;
  throw new UserError("CLI_OPTION_MISSING", `millrace ${name} needs ${shown(missing)}`, {
    fix: `write ${PROGRAM} ${name} ${shown(missing)} ${options[missing]?.value ?? "value"}`,
  });
}

function unknownOption(command: CommandSpec, { name, rawName, value = "value" }: OptionToken): UserError {
  const names = [...Object.keys(command.options), "help"].filter(({ length }) => length > 1);
  // Every letter is near every other, and so are short words.
  const near = name.length === 1 ? null : nearest(name, names, Math.max(1, name.length - 3));
  const meant = near ?? longerName(name, names);
  const help = `see ${PROGRAM} ${command.name} --help`;
  const fix =
    meant !== null
      ? `did you mean ${shown(meant)}?`
      : name.length > 1 && command.options.param !== undefined
        ? `if ${name} is a parameter of the job, write ${shown("param")} ${quoted(`${name}=${value}`)}; else ${help}`
        : help;
  return new UserError("CLI_UNKNOWN_OPTION", `millrace ${command.name} has no option ${rawName}`, { fix });
}

/** Shorter names are the beginnings of too much. */
const BEGINNING_LENGTH = 4;

/** The one option that a name of some length is the beginning of, but for a slip: `--paralel`. */
function longerName(name: string, names: readonly string[]): string | null {
  if (name.length < BEGINNING_LENGTH) return null;
  const found = names.filter((full) => {
    const beginnings = [-1, 0, 1].map((more) => full.slice(0, name.length + more));
    return full.length > name.length && nearest(name, beginnings, 1) !== null;
  });
  return found.length === 1 ? (found[0] ?? null) : null;
}

function checkedPositionals(command: CommandSpec, given: readonly string[]): readonly string[] {
  const { name, positional, positionalOptional, further = [] } = command;
  const wanted = positional === null ? [] : [positional, ...further];
  const extra = given[wanted.length];
  if (extra !== undefined) {
    throw new UserError("CLI_ARGUMENT_EXTRA", `millrace ${name} does not know what to do with "${extra}"`, {
      fix: `see ${PROGRAM} ${name} --help; parameters of the job are given as --param name=value`,
    });
  }
  const missing = wanted[given.length];
  if (missing !== undefined && positionalOptional !== true) {
    throw new UserError("CLI_ARGUMENT_MISSING", `millrace ${name} needs ${missing}`, {
      fix: `write ${PROGRAM} ${withArgument(command)}`,
    });
  }
  return given;
}

function unknownCommand(args: readonly string[], commands: readonly CommandSpec[]): UserError {
  const [first = "", second = ""] = args;
  const names = commands.map(({ name }) => name);
  const groups = names.map((name) => name.split(" ", 1).join()).filter((group) => !names.includes(group));
  const given = groups.includes(first) && second !== "" ? `${first} ${second}` : first;
  const near = nearest(given, [...names, ...groups]) ?? (groups.includes(first) ? first : null);
  const meant = near === null ? null : (names.find((name) => name === near || name.startsWith(`${near} `)) ?? null);
  const fix = /\.[cm]?[jt]s$/.test(first)
    ? `did you mean ${PROGRAM} run ${first}?`
    : nearest(first.replace(/^-+/, ""), [...names, "version"]) === "version"
      ? `did you mean ${PROGRAM} --version?`
      : meant === null
        ? `commands are: ${names.join(", ")}`
        : `did you mean ${PROGRAM} ${meant}?`;
  return new UserError("CLI_UNKNOWN_COMMAND", `there is no command "${given}"`, { fix });
}

/** `memory --help` is that of the one command there is of `memory`. */
function wholeCommand(args: readonly string[], commands: readonly CommandSpec[]): readonly string[] {
  const [first = "", second = ""] = args;
  if (second !== "--help" && second !== "-h") return args;
  const [only, ...others] = commands.filter(({ name }) => name.startsWith(`${first} `));
  return only === undefined || others.length > 0 ? args : [...only.name.split(" "), ...args.slice(1)];
}

function words(name: string): number {
  return name.split(" ").length;
}

/** `-D`, `--param`. */
function shown(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`;
}
