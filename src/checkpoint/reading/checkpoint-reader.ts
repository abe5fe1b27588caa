// A checkpoint or savepoint, read without its job. What it holds by key comes one key group at a time, so that memory
// is bounded by the largest group.

import { UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import type { Plan, PlanOperator } from "../../graph/plan.ts";
import { keyGroupOf } from "../../state/keys/key-groups.ts";
import type { SavedHeader } from "../../state/store/saved-header.ts";
import { isPageForm } from "../../state/table/page-form.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import { type CheckpointMetadata, type OperatorState, operatorStateOf, type StateHandle } from "../format/metadata.ts";
import { StateReader } from "../format/subtask-state.ts";
import type { CheckpointStorage } from "../storage/checkpoint-storage.ts";
import { GroupReader } from "./group-reader.ts";
import { rowParts } from "./operator-parts.ts";
import { PagedGroups } from "./paged-groups.ts";
import { type RowVisitor, TIMERS } from "./saved-row.ts";

export type ReadOperator = { readonly operator: PlanOperator; readonly state: OperatorState };

type Group = { readonly group: number; readonly handle: StateHandle };

export class CheckpointReader {
  readonly metadata: CheckpointMetadata;
  readonly #plan: Plan;
  readonly #state: StateReader;
  readonly #readers = new Map<string, GroupReader>();
  readonly #paged = new Map<string, PagedGroups>();
  readonly #storage: CheckpointStorage;

  constructor(storage: CheckpointStorage, metadata: CheckpointMetadata) {
    this.#storage = storage;
    this.metadata = metadata;
    this.#plan = JSON.parse(metadata.planText) as Plan;
    this.#state = new StateReader(storage);
  }

  /** In the order of the plan. */
  operators(): readonly ReadOperator[] {
    return this.#plan.operators.flatMap((operator) => {
      const state = operatorStateOf(this.metadata, operator.uid);
      return state === null ? [] : [{ operator, state }];
    });
  }

  /** Throws STATE_NOT_THERE. */
  operator(uid: string): ReadOperator {
    const all = this.operators();
    const found = all.find(({ operator }) => operator.uid === uid);
    if (found !== undefined) return found;
    const uids = all.map(({ operator }) => operator.uid);
    const near = nearest(uid, uids);
    throw new UserError("STATE_NOT_THERE", `there is no operator "${uid}" in it`, {
      fix: near === null ? `its operators are ${uids.join(", ")}` : `did you mean ${near}?`,
    });
  }

  /** Null: it keeps nothing by key. */
  async header(read: ReadOperator): Promise<SavedHeader | null> {
    const [first] = groupsOf(read.state);
    return first === undefined ? null : this.#reader(read).header(await this.#bytes(read, first));
  }

  /** Of all that has rows. */
  stateNames({ operator }: ReadOperator, { key, states }: SavedHeader): readonly string[] {
    return [...states.map(({ name }) => name), TIMERS, ...rowParts(this.#plan, operator, key)];
  }

  /** All rows, by key group. `next`: is awaited behind each group. */
  async rows(
    read: ReadOperator,
    visitor: RowVisitor,
    next: () => Promise<void> = async () => undefined,
  ): Promise<void> {
    for (const group of groupsOf(read.state)) {
      this.#reader(read).read(await this.#bytes(read, group), visitor);
      await next();
    }
  }

  /** Those of one key group; none where it is not there. */
  async groupRows(read: ReadOperator, group: number, visitor: RowVisitor): Promise<void> {
    const found = groupOf(read.state, group);
    if (found !== null) this.#reader(read).read(await this.#bytes(read, found), visitor);
  }

  /** Those of one key. */
  async keyRows(read: ReadOperator, { key: type }: SavedHeader, key: unknown, visitor: RowVisitor): Promise<void> {
    const hash = compileKeyHash(type, `${read.operator.uid} saved`);
    const wanted = hash(key);
    await this.groupRows(read, keyGroupOf(wanted, read.state.maxParallelism), {
      ...visitor,
      row: (row) => {
        if (hash(row.key) === wanted && rowKey(row.key) === rowKey(key)) visitor.row(row);
      },
    });
  }

  close(): Promise<void> {
    return this.#state.close();
  }

  /** In the canonical form, whichever it was written in. */
  async #bytes(read: ReadOperator, { group, handle }: Group): Promise<Buffer> {
    const bytes = await this.#state.read(handle);
    return isPageForm(bytes) ? this.#pagedOf(read).canonical(group, bytes) : bytes;
  }

  #pagedOf({ operator, state }: ReadOperator): PagedGroups {
    const known = this.#paged.get(operator.uid);
    if (known !== undefined) return known;
    const { maxParallelism } = state;
    const takenMs = Date.parse(this.metadata.completedAt);
    const paged = new PagedGroups({ storage: this.#storage, plan: this.#plan, operator, maxParallelism, takenMs });
    this.#paged.set(operator.uid, paged);
    return paged;
  }

  #reader({ operator }: ReadOperator): GroupReader {
    const known = this.#readers.get(operator.uid);
    if (known !== undefined) return known;
    const reader = new GroupReader(this.#plan, operator);
    this.#readers.set(operator.uid, reader);
    return reader;
  }
}

/** One text for each key of a type. */
export function rowKey(key: unknown): string {
  return JSON.stringify(key, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

function groupsOf({ subtasks }: OperatorState): readonly Group[] {
  return subtasks.flatMap(({ keyed }) =>
    (keyed?.groups ?? []).map((handle, index) => ({ group: keyed!.first + index, handle })),
  );
}

/** Null: it is not there. */
function groupOf({ subtasks }: OperatorState, group: number): Group | null {
  for (const { keyed } of subtasks) {
    const handle = keyed?.groups[group - keyed.first];
    if (handle !== undefined) return { group, handle };
  }
  return null;
}
