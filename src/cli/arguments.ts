// Command lines: what commands take, checked with "did you mean", and their help texts. Pure.

import { parseArgs } from "node:util";
import { UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";

export type OptionSpec = {
  /** "flag" takes no value; "values" may be given several times. */
  readonly takes: "flag" | "value" | "values";
  readonly short?: string;
  /** What stands for the value in the help: "n". */
  readonly value?: string;
  readonly help: string;
};

export type CommandSpec = {
  /** One or two words. */
  readonly name: string;
  readonly summary: string;
  /** What the one positional argument is: "job.ts". */
  readonly positional: string | null;
  readonly positionalOptional?: boolean;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly example: string;
};

export type CommandLine = {
  readonly command: CommandSpec;
  /** Empty when there is none. */
  readonly positional: string;
  readonly flags: ReadonlySet<string>;
  /** Values by option, in the order given. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly help: boolean;
};

/** What users type: npm puts `millrace` itself on the PATH of scripts only. */
export const PROGRAM = "npx millrace";

const HELP: OptionSpec = { takes: "flag", short: "h", help: "this text" };

/** The command that `args` begin with, and its arguments. Throws CLI_* errors. */
export function commandLineParse(args: readonly string[], commands: readonly CommandSpec[]): CommandLine {
  const command = commands.find(({ name }) => args.slice(0, words(name)).join(" ") === name);
  if (command === undefined) throw unknownCommand(args, commands);
  const options: Readonly<Record<string, OptionSpec>> = { ...command.options, help: HELP };
  const { tokens } = parseArgs({
    args: args.slice(words(command.name)),
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
  const help = flags.has("help");
  return { command, positional: help ? "" : positional(command, positionals), flags, values, help };
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

/** `docs` is where the page about the command line lies. */
export function commandHelp(command: CommandSpec, docs: string): string {
  const { summary, options, example } = command;
  const rows = Object.entries({ ...options, help: HELP }).map(([option, { value, help }]) => {
    return [`  ${shown(option)}${value === undefined ? "" : ` ${value}`}`, help] as const;
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

function withArgument({ name, positional: argument, positionalOptional }: CommandSpec): string {
  if (argument === null) return name;
  return positionalOptional === true ? `${name} [${argument}]` : `${name} ${argument}`;
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
  const { name, rawName, value, inlineValue } = token;
  const fix = `see ${PROGRAM} ${command.name} --help`;
  if (spec === undefined) {
    // Every letter is near every other.
    const meant = name.length === 1 ? null : nearest(name, [...Object.keys(command.options), "help"]);
    throw new UserError("CLI_UNKNOWN_OPTION", `millrace ${command.name} has no option ${rawName}`, {
      fix: meant === null ? fix : `did you mean ${shown(meant)}?`,
    });
  }
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

function positional({ name, positional: wanted, positionalOptional }: CommandSpec, given: readonly string[]): string {
  const [first, second] = given;
  const extra = wanted === null ? first : second;
  if (extra !== undefined) {
    throw new UserError("CLI_ARGUMENT_EXTRA", `millrace ${name} does not know what to do with "${extra}"`, {
      fix: `see ${PROGRAM} ${name} --help; parameters of the job are given as --param name=value`,
    });
  }
  if (wanted !== null && positionalOptional !== true && first === undefined) {
    throw new UserError("CLI_ARGUMENT_MISSING", `millrace ${name} needs ${wanted}`, {
      fix: `write ${PROGRAM} ${name} ${wanted}`,
    });
  }
  return first ?? "";
}

function unknownCommand(args: readonly string[], commands: readonly CommandSpec[]): UserError {
  const [first = "", second = ""] = args;
  const names = commands.map(({ name }) => name);
  const isGroup = names.some((name) => name.startsWith(`${first} `));
  const given = isGroup && second !== "" ? `${first} ${second}` : first;
  const meant =
    nearest(given, names) ?? (isGroup ? (names.find((name) => name.startsWith(`${first} `)) ?? null) : null);
  const fix = /\.[cm]?[jt]s$/.test(first)
    ? `did you mean ${PROGRAM} run ${first}?`
    : nearest(first.replace(/^-+/, ""), [...names, "version"]) === "version"
      ? `did you mean ${PROGRAM} --version?`
      : meant === null
        ? `commands are: ${names.join(", ")}`
        : `did you mean ${PROGRAM} ${meant}?`;
  return new UserError("CLI_UNKNOWN_COMMAND", `there is no command "${given}"`, { fix });
}

function words(name: string): number {
  return name.split(" ").length;
}

/** `-D`, `--param`. */
function shown(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`;
}
