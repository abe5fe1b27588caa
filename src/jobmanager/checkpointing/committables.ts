// What sinks have prepared and nobody has committed yet: immutable.
//
//   P1. What was prepared is committed once its checkpoint, or a later one, is completed, also when its own was given
//       up: the records behind it are in no later one. So each checkpoint holds all that was prepared up to it.

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

  /** Without those of this checkpoint and of earlier ones. */
  after(checkpoint: CheckpointId): Committables {
    return new Committables(this.#list.filter((each) => each.checkpoint > checkpoint));
  }

  /** Of one subtask of a sink, up to a checkpoint, in the order in which they were prepared (P1). */
  of(sink: string, subtask: number, upTo: number = Infinity): readonly Committable[] {
    return this.#list
      .filter((each) => each.sink === sink && each.subtask === subtask && each.checkpoint <= upTo)
      .flatMap(({ committables }) => committables);
  }

  /** Of all sinks, by subtask, up to a checkpoint. */
  upTo(checkpoint: number): readonly { readonly subtask: number; readonly prepared: PreparedSink }[] {
    const named = new Map(this.#list.map(({ sink, subtask }) => [`${subtask} ${sink}`, { sink, subtask }]));
    return [...named.values()]
      .map(({ sink, subtask }) => ({
        subtask,
        prepared: { sink, committables: this.of(sink, subtask, checkpoint) },
      }))
      .filter(({ prepared }) => prepared.committables.length > 0);
  }
}
