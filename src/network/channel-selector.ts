// Which channel a record goes to, as the text of an expression over `record`, for the generated emit function.

import type { UserError } from "../base/errors.ts";
import { KEY_DOUBTFUL } from "../types/keys/key-hash.ts";

export type ChannelSelector = {
  /** Code that runs before the choice; may be empty. Uses only `record` and `bindings`. */
  readonly setup: string;
  /** Expression for the index of the channel; null: every channel. */
  readonly index: string | null;
  /** State that the code needs across records, declared once. */
  readonly state: string;
  readonly bindings: Readonly<Record<string, unknown>>;
};

const plain = (index: string | null, state = ""): ChannelSelector => ({ setup: "", index, state, bindings: {} });

/** One target: forward, global, or a single receiver. */
export const selectFirst: ChannelSelector = plain("0");

export const selectAll: ChannelSelector = plain(null);

/** Round robin, starting at a channel of the sender's own so that senders do not move in step. */
export function selectRoundRobin(channels: number, first: number): ChannelSelector {
  return plain(`(next = next === ${channels - 1} ? 0 : next + 1)`, `let next = ${(first + channels - 1) % channels};`);
}

export type HashSelection = {
  /** Key of a record, as an expression over `record` and `key` (the user's function when there is one). */
  readonly keyCode: string;
  readonly key: {
    readonly key: unknown;
    /** 32-bit hash of a key; KEY_DOUBTFUL for what may be none. */
    readonly hash: (key: unknown) => number;
    /** Throws KEY_INVALID for what is no key, with the record. */
    readonly doubtful: (key: unknown, record: unknown) => void;
  };
  /** The subtask that a hash belongs to. */
  readonly subtask: (hash: number, parallelism: number, maxParallelism: number) => number;
  readonly channels: number;
  readonly maxParallelism: number;
  readonly threw: Threw;
};

/** The error for an exception in the user's function. */
export type Threw = (error: unknown, record: unknown) => Error;

/** Each key to the subtask that has its state. */
export function selectByKey(selection: HashSelection): ChannelSelector {
  const { key, keyCode, subtask, channels, maxParallelism, threw } = selection;
  const value = typeof key.key === "function" ? guarded("value", keyCode) : `const value = ${keyCode};`;
  const setup = `${value} const code = hash(value); if (code === ${KEY_DOUBTFUL}) doubtful(value, record);`;
  return {
    setup,
    index: channels === 1 ? "0" : `subtask(code, ${channels}, ${maxParallelism})`,
    state: "",
    bindings: { key: key.key, hash: key.hash, doubtful: key.doubtful, subtask, threw },
  };
}

export type CustomSelection = {
  readonly partition: unknown;
  readonly channels: number;
  readonly outOfRange: (channel: unknown) => UserError;
  readonly threw: Threw;
};

/** The user's function (record, channels) => index; anything but a whole number in range is refused. */
export function selectCustom(selection: CustomSelection): ChannelSelector {
  const { channels } = selection;
  const fits = `typeof chosen === "number" && chosen >= 0 && chosen < ${channels} && (chosen | 0) === chosen`;
  return {
    setup: `${guarded("chosen", `partition(record, ${channels})`)} if (!(${fits})) throw outOfRange(chosen);`,
    index: "chosen",
    state: "",
    bindings: { partition: selection.partition, outOfRange: selection.outOfRange, threw: selection.threw },
  };
}

/** Declares `name`, the result of a call of the user's function. */
function guarded(name: string, call: string): string {
  return `let ${name}; try { ${name} = ${call}; } catch (error) { throw threw(error, record); }`;
}
