// `millrace init`: a project made from a template, which runs as it is. The templates lie in the package.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { ExternalError, UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { type CommandLine, lastValue, quoted } from "../session/arguments.ts";
import { EXIT } from "../session/exit-codes.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** Of the engine: a clone, or an installed package. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const TEMPLATES = join(ROOT, "templates");
const TEMPLATE_DEFAULT = "market";
const SHOWN_MAX = 3;

type Manifest = {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
};

export function initCommand(line: CommandLine, terminal: Terminal): number {
  const given = line.positional || ".";
  const directory = resolve(given);
  const template = templateOf(lastValue(line, "template") ?? TEMPLATE_DEFAULT);
  checkEmpty(directory, given, template);
  try {
    write(directory, template);
  } catch (cause) {
    throw new ExternalError("INIT_FAILED", `${given} cannot be written: ${(cause as Error).message}`, {
      fix: "see that the directory can be written and that the disk has room",
      cause,
    });
  }
  terminal.note(`made   a project of the template ${template}: ${filesOf(directory).join(", ")}`);
  const commands = [
    ...(directory === process.cwd() ? [] : [`cd ${quoted(given)}`]),
    ...(isUnbuiltClone() ? [`npm run build --prefix ${quoted(relative(realDirectory(directory), ROOT))}`] : []),
    "npm install",
    "npm start",
    "npm test",
  ];
  terminal.note(`next   ${commands.join("\n       ")}`);
  return EXIT.ok;
}

function templateOf(given: string): string {
  const names = readdirSync(TEMPLATES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  if (names.includes(given)) return given;
  const near = nearest(given, names);
  throw new UserError("TEMPLATE_UNKNOWN", `there is no template "${given}"`, {
    fix: near !== null ? `did you mean --template ${near}?` : `templates are: ${names.join(", ")}`,
  });
}

function filesOf(directory: string): readonly string[] {
  const names = readdirSync(directory).filter((name) => name !== ".git");
  return names.sort();
}

/** A repository without anything in it is empty, too. */
function checkEmpty(directory: string, given: string, template: string): void {
  const kind = statSync(directory, { throwIfNoEntry: false });
  if (kind === undefined) return;
  const found = kind.isDirectory() ? filesOf(directory) : null;
  if (found?.length === 0) return;
  const shown = found === null ? "it is a file" : `it holds ${found.slice(0, SHOWN_MAX).join(", ")}`;
  const more = found !== null && found.length > SHOWN_MAX ? ` and ${found.length - SHOWN_MAX} more` : "";
  throw new UserError("INIT_NOT_EMPTY", `${given} is no empty directory: ${shown}${more}`, {
    fix: `name one that is new, for example my-${template}`,
  });
}

function write(directory: string, template: string): void {
  mkdirSync(directory, { recursive: true });
  cpSync(join(TEMPLATES, template), directory, { recursive: true });
  cpSync(join(TEMPLATES, "tsconfig.json"), join(directory, "tsconfig.json"));
  const readme = readFileSync(join(directory, "README.md"), "utf8");
  writeFileSync(join(directory, "README.md"), readme + readFileSync(join(TEMPLATES, "commands.md"), "utf8"));
  // Here and not a file: npm leaves out what has this name.
  writeFileSync(join(directory, ".gitignore"), "node_modules/\nout/\n");
  writeFileSync(join(directory, "package.json"), `${JSON.stringify(manifest(directory), null, 2)}\n`);
}

function manifest(directory: string): object {
  const text = readFileSync(join(ROOT, "package.json"), "utf8");
  const { version, devDependencies: ours, allowScripts } = JSON.parse(text) as Manifest;
  // Whoever runs this by the Node of a project has none that is new enough elsewhere, as far as is known.
  const names = ["@types/node", ...(/[\\/]node_modules[\\/]/.test(process.execPath) ? ["node"] : []), "typescript"];
  return {
    name: packageName(directory),
    private: true,
    type: "module",
    scripts: { start: "millrace run job.ts", dev: "millrace dev job.ts --local", test: "node --test", check: "tsc" },
    dependencies: { millrace: dependency(realDirectory(directory), version) },
    devDependencies: Object.fromEntries(names.map((name) => [name, ours[name]])),
    allowScripts,
  };
}

/** As npm allows them. */
function packageName(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-");
  return name.replaceAll(/^-+|-+$/g, "") || "jobs";
}

/** The version, if this one came from a registry; else where it came from. */
function dependency(directory: string, version: string): string {
  const modules = dirname(ROOT.replace(/[\\/]$/, ""));
  const resolved = basename(modules) === "node_modules" ? resolvedFrom(modules) : null;
  if (resolved !== null && /^https?:/.test(resolved)) return `^${version}`;
  const archive = resolved?.startsWith("file:") ? resolve(modules, "..", resolved.slice("file:".length)) : ROOT;
  const from = existsSync(archive) ? archive : ROOT;
  const path = relative(directory, from).split(sep).join("/");
  return `file:${path.startsWith(".") ? path : `./${path}`}`;
}

/** What npm notes of an installed package; null where nothing is noted. */
function resolvedFrom(modules: string): string | null {
  try {
    const { packages } = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly resolved?: string }>>;
    };
    return packages["node_modules/millrace"]?.resolved ?? null;
  } catch {
    return null;
  }
}

/** Tests and types read what is compiled. */
function isUnbuiltClone(): boolean {
  return existsSync(join(ROOT, "src")) && !existsSync(join(ROOT, "dist"));
}

/** Relative paths start from where a link leads to; of what is not there yet, its parent is looked at. */
function realDirectory(directory: string): string {
  return existsSync(directory) ? realpathSync(directory) : join(realDirectory(dirname(directory)), basename(directory));
}
