// One state of a snapshot that is being restored: its entries are read under the declaration that it had then, and go
// into the cell that the job has now (contract/state-change.ts).

import type { Clock } from "../../base/env.ts";
import { EngineError, UserError } from "../../base/errors.ts";
import { refusePromise } from "../../base/synchronous.ts";
import type { ByteReader } from "../../types/bytes/codec.ts";
import { compileValueProgram } from "../../types/values/value-codec.ts";
import type { StateMigration, StateSpec } from "../contract/keyed-state.ts";
import type { CellStorage, SavedForm } from "../contract/state-cell.ts";
import { stateChange, storedText, storedType } from "../contract/state-change.ts";
import { readStamp } from "../format/state-snapshot.ts";
import { savedContent } from "./saved-content.ts";

export type SavedStateOptions = {
  /** As the snapshot has it. */
  readonly spec: StateSpec;
  /** Null: the job does not declare it any more. */
  readonly cell: CellStorage | null;
  readonly migration: StateMigration | null;
  readonly clock: Clock;
  readonly operator: string;
};

export class SavedState {
  readonly #options: SavedStateOptions;
  readonly #restore: (input: ByteReader) => void;

  /** Throws STATE_TYPE_CHANGED. */
  constructor(options: SavedStateOptions) {
    const { spec, cell } = options;
    this.#options = options;
    if (cell === null) this.#restore = savedContent(spec);
    else {
      const form = this.#formFor(cell);
      this.#restore = (input) => cell.restoreEntry(input, form);
    }
  }

  /** The next entry, whose key was made current. */
  restoreEntry(input: ByteReader, key: unknown): void {
    try {
      this.#restore(input);
    } catch (error) {
      const isMisfit = error instanceof EngineError && /^CODEC_(MISMATCH|UNSUPPORTED)$/.test(error.code);
      throw isMisfit || error instanceof MigrationFailure ? this.#failed(key, error) : error;
    }
  }

  #formFor(cell: CellStorage): SavedForm {
    const { spec, migration, clock, operator } = this.#options;
    const older = migration === null ? {} : { migratesFrom: migration.from };
    const change = stateChange(spec, { ...cell.spec, ...older });
    if (change.kind === "refused") throw this.#changed(cell.spec, change.reason);
    const { read } = compileValueProgram(storedType(spec), "refuse", `${operator}-${spec.name}-saved`);
    const { convert } = change;
    const converted = convert === null ? read : (input: ByteReader) => convert(read(input));
    return {
      stamp: spec.ttlMs === null ? () => clock.nowMs() : readStamp,
      read: migration === null || !change.migrated ? converted : (input) => migrated(migration, converted(input)),
    };
  }

  #changed(declared: StateSpec, reason: string): UserError {
    const { spec, operator } = this.#options;
    return new UserError(
      "STATE_TYPE_CHANGED",
      `state "${spec.name}" of operator "${operator}" is declared as ${storedText(declared)}, but was ${storedText(spec)}: ${reason}`,
      { operator, fix: "Declare it as it was, with a migrate, or give the state another name." },
    );
  }

  #failed(key: unknown, thrown: EngineError | MigrationFailure): UserError {
    const { spec, operator } = this.#options;
    const cause = thrown instanceof MigrationFailure ? thrown.cause : thrown;
    const why = cause instanceof Error ? cause.message : String(cause);
    return new UserError(
      "STATE_MIGRATION_FAILED",
      `state "${spec.name}" of operator "${operator}", key ${keyText(key)}, cannot be taken over: ${why}`,
      {
        operator,
        cause,
        fix: "have migrate give a value that fits for each that is stored; millrace state shows what is stored",
      },
    );
  }
}

/** Tells what a function of the user's threw from all else. */
class MigrationFailure extends Error {}

function migrated(migration: StateMigration, old: unknown): unknown {
  try {
    return refusePromise(migration.with(old), "the function of migrate");
  } catch (cause) {
    throw new MigrationFailure("", { cause });
  }
}

const KEY_TEXT_MAX = 100;

function keyText(key: unknown): string {
  const text = typeof key === "object" ? JSON.stringify(key, (_, part) => partOf(part)) : String(key);
  return text.length <= KEY_TEXT_MAX ? text : `${text.slice(0, KEY_TEXT_MAX)}…`;
}

function partOf(part: unknown): unknown {
  return typeof part === "bigint" ? `${part}n` : part;
}
