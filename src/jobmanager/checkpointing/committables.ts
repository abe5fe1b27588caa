// What sinks have prepared and nobody has committed yet: immutable.
//
//   P1. What was prepared is committed once its checkpoint, or a later one, is completed, also when its own was given
//       up: the records behind it are in no later one. So each checkpoint holds all that was prepared up to it.
//   P2. It is held until its commit was acknowledged, by the checkpoints of that time as well: whoever starts again
//       from one of them commits it.

import type { CheckpointId } from "../../base/ids.ts";
import type { Committable } from "../../operators/sink.ts";
import type { PreparedSink } from "../../protocol/slot-messages.ts";

type Prepared = {
  readonly sink: string;
  readonly subtask: number;
  readonly checkpoint: CheckpointId;
  readonly committables: readonly Committable[];
};

export class Committables {
  static readonly none = new Committables([]);
  readonly #list: readonly Prepared[];

  private constructor(list: readonly Prepared[]) {
    this.#list = list;
  }

  with(checkpoint: CheckpointId, subtask: number, prepared: readonly PreparedSink[]): Committables {
    const added = prepared.map(({ sink, committables }) => ({ sink, subtask, checkpoint, committables }));
    return new Committables([...this.#list, ...added]);
  }

  /** Without those of one subtask of a sink that were prepared up to this checkpoint: they are committed (P2). */
  without(sink: string, subtask: number, upTo: CheckpointId): Committables {
    const isCommitted = (each: Prepared): boolean =>
      each.sink === sink && each.subtask === subtask && each.checkpoint <= upTo;
    return new Committables(this.#list.filter((each) => !isCommitted(each)));
  }

  /** With what another list has of these sinks, in place of what this one has. */
  replaced(sinks: ReadonlySet<string>, by: Committables): Committables {
    const isMeant = ({ sink }: Prepared): boolean => sinks.has(sink);
    return new Committables([...this.#list.filter((each) => !isMeant(each)), ...by.#list.filter(isMeant)]);
  }

  /** Of one subtask of a sink, up to a checkpoint, in the order in which they were prepared (P1). */
  of(sink: string, subtask: number, upTo: number = Infinity): readonly Committable[] {
    return this.#list
      .filter((each) => each.sink === sink && each.subtask === subtask && each.checkpoint <= upTo)
      .flatMap(({ committables }) => committables);
  }

  /** Of all sinks, by subtask: what was prepared after one checkpoint and up to another one. */
  between(after: number, upTo: CheckpointId): readonly { readonly subtask: number; readonly prepared: PreparedSink }[] {
    const meant = new Committables(this.#list.filter(({ checkpoint }) => checkpoint > after));
    const named = new Map(meant.#list.map(({ sink, subtask }) => [`${subtask} ${sink}`, { sink, subtask }]));
    return [...named.values()]
      .map(({ sink, subtask }) => ({ subtask, prepared: { sink, committables: meant.of(sink, subtask, upTo) } }))
      .filter(({ prepared }) => prepared.committables.length > 0);
  }
}
