// An immutable set of option values, each with where it came from.
//
// Layers, the first that names a key wins: command line, environment, job, file, default. Two layers of one kind: the
// later wins. Reads no file and no environment: callers hand in plain objects. A value is checked when it enters, so
// `get` cannot fail.
//
// C1. An unknown key is refused (CONFIG_UNKNOWN_KEY), an ill-typed value too (CONFIG_BAD_VALUE), in whatever layer it
//     stands.
// C2. A key may be written nested or dotted or both; written twice in one layer it is refused (CONFIG_DUPLICATE_KEY).
// C3. The value of a key that names a secret appears in no message and no listing.

import { type SourceLocation, UserError, unreachable } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { environmentName, flinkKeyInstead } from "./flink-keys.ts";
import type { Option } from "./option.ts";
import { OPTIONS, type OptionKey } from "./options.ts";

export type Origin =
  /** `from`: what decides, where it is not the same everywhere. */
  | { readonly kind: "default"; readonly from?: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "job" }
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "command line" }
  /** What a program gave that started a job. */
  | { readonly kind: "code" };

/**
 * `values`: an object from outside, keys nested or dotted. Plain data, so that layers can be posted to another thread.
 */
export type ConfigLayer = { readonly origin: Origin; readonly values: unknown };

/** What `millrace.config.ts` exports. */
export type ConfigValues = { readonly [K in OptionKey]?: string | number | boolean };

/** For `millrace.config.ts`: the editor completes keys and refuses unknown ones. */
export function defineConfig(values: ConfigValues): ConfigValues {
  return values;
}

const RANK: Readonly<Record<Origin["kind"], number>> = {
  default: 0,
  file: 1,
  job: 2,
  environment: 3,
  "command line": 4,
  code: 4,
};
const SECRET = /password|secret|token|credential|api-?key/i;
const DEPTH_MAX = 10;
const DEFAULT: Origin = { kind: "default" };

const BY_KEY: ReadonlyMap<string, Option<unknown>> = new Map(
  Object.values(OPTIONS).map((option) => [option.key, option]),
);

type Entry = { readonly value: unknown; readonly origin: Origin };

export class Configuration {
  /** What it was made of: `new Configuration(layers)` makes it again in another thread. */
  readonly layers: readonly ConfigLayer[];
  readonly #entries = new Map<string, Entry>();
  /** Defaults that depend on where Millrace runs. */
  readonly #defaults = new Map<string, unknown>();

  constructor(layers: readonly ConfigLayer[] = []) {
    this.layers = layers;
    for (const layer of layers.toSorted((left, right) => RANK[left.origin.kind] - RANK[right.origin.kind])) {
      for (const [key, value] of layerRead(layer)) {
        this.#entries.set(key, { value, origin: layer.origin });
        if (layer.origin.kind === "default") this.#defaults.set(key, value);
      }
    }
  }

  get<T>(option: Option<T>): T {
    const entry = this.#entries.get(option.key);
    return entry === undefined ? option.default : (entry.value as T); // Parsed by this option in `layerRead`.
  }

  origin(option: Option<unknown>): Origin {
    return this.#entries.get(option.key)?.origin ?? DEFAULT;
  }

  /** What holds where nobody says otherwise. */
  default(option: Option<unknown>): unknown {
    return this.#defaults.has(option.key) ? this.#defaults.get(option.key) : option.default;
  }

  isSet(option: Option<unknown>): boolean {
    return this.#entries.has(option.key);
  }

  with(layer: ConfigLayer): Configuration {
    return new Configuration([...this.layers, layer]);
  }
}

export function originText(origin: Origin): string {
  switch (origin.kind) {
    case "file":
      return `file ${origin.path}`;
    case "environment":
      return `environment ${origin.name}`;
    case "default":
      return origin.from === undefined ? origin.kind : `${origin.kind}: ${origin.from}`;
    case "job":
    case "command line":
    case "code":
      return origin.kind;
    default:
      return unreachable(origin);
  }
}

export type ConfigRow = {
  readonly key: OptionKey;
  /** Null: not set, and without a default. */
  readonly value: string | null;
  readonly origin: string;
  readonly default: string | null;
};

/** Every option with its value, in the order of the table. */
export function configShow(configuration: Configuration): ConfigRow[] {
  return Object.values(OPTIONS).map((option: Option<unknown> & { key: OptionKey }) => {
    const { key, type } = option;
    const text = (value: unknown) =>
      value === null || value === undefined ? null : secretMask(key, type.format(value));
    const origin = originText(configuration.origin(option));
    return { key, value: text(configuration.get(option)), origin, default: text(configuration.default(option)) };
  });
}

/** One layer for each variable that begins with `MILLRACE_`. */
export function environmentLayers(variables: Readonly<Record<string, string | undefined>>): ConfigLayer[] {
  const keys = new Map([...BY_KEY.keys()].map((key) => [environmentName(key), key]));
  const layers: ConfigLayer[] = [];
  for (const [name, text] of Object.entries(variables)) {
    if (!name.startsWith("MILLRACE_") || text === undefined) continue;
    const key = keys.get(name);
    if (key === undefined) throw unknownKey(`environment variable ${name}`, name, keys.keys());
    layers.push({ origin: { kind: "environment", name }, values: { [key]: text } });
  }
  return layers;
}

/** Throws what a configuration with this layer would, at the place of the key concerned. */
export function layerCheck(layer: ConfigLayer, placeOf: (key: string) => SourceLocation | null): void {
  let at: string | null = null;
  try {
    layerRead(layer, (key) => {
      at = key;
    });
  } catch (error) {
    const location = at === null ? null : placeOf(at);
    if (error instanceof UserError && location !== null) error.location = location;
    throw error;
  }
}

/** The keys and parsed values of one layer. `onKey` is told each key before it is looked at. */
function layerRead(layer: ConfigLayer, onKey: (key: string) => void = () => undefined): Map<string, unknown> {
  const from = originText(layer.origin);
  if (!isPlainObject(layer.values)) {
    throw new UserError("CONFIG_BAD_VALUE", `the configuration (${from}) is ${valueText(layer.values)}`, {
      fix: 'write an object of keys and values, for example { "parallelism.default": 4 }',
    });
  }
  const found = new Map<string, unknown>();
  for (const [key, value] of leaves(layer.values, "", 0)) {
    onKey(key);
    const option = BY_KEY.get(key);
    if (option === undefined)
      throw unknownKey(`configuration key ${JSON.stringify(key)} (${from})`, key, BY_KEY.keys());
    if (found.has(key)) throw duplicateKey(key, from);
    found.set(key, optionParse(option, value, from));
  }
  return found;
}

/** Dotted keys with their values: an object is a value only where an option stands. */
function leaves(values: Readonly<Record<string, unknown>>, prefix: string, depth: number): [string, unknown][] {
  return Object.entries(values).flatMap(([name, value]): [string, unknown][] => {
    const key = prefix + name;
    const isSection = isPlainObject(value) && Object.keys(value).length > 0 && !BY_KEY.has(key) && depth < DEPTH_MAX;
    return isSection ? leaves(value, `${key}.`, depth + 1) : [[key, value]];
  });
}

function optionParse(option: Option<unknown>, value: unknown, from: string): unknown {
  const parsed = option.type.parse(value);
  if (parsed !== undefined) return parsed;
  const what = secretMask(option.key, valueText(value));
  throw new UserError("CONFIG_BAD_VALUE", `${option.key} is ${what} (${from})`, {
    fix: `expected ${option.type.expected}`,
  });
}

function unknownKey(what: string, name: string, known: Iterable<string>): UserError {
  const meant = nearest(name, known);
  return new UserError("CONFIG_UNKNOWN_KEY", `unknown ${what}`, {
    fix:
      flinkKeyInstead(name) ?? (meant === null ? "npx millrace config show lists all keys" : `did you mean ${meant}?`),
  });
}

function duplicateKey(key: string, from: string): UserError {
  return new UserError("CONFIG_DUPLICATE_KEY", `${key} is set twice (${from})`, {
    fix: "write it once, either nested or with dots",
  });
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function valueText(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  return isPlainObject(value) ? "an object" : String(value);
}

/** What may be shown of the value of `key`. */
export function secretMask(key: string, text: string): string {
  return SECRET.test(key) ? "******" : text;
}
