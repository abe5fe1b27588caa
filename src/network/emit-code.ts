// Generates the function that stages one record in the right channel. One per result partition, with a source text of
// its own: generated functions with equal text share one compiled function and its type feedback.
//
// A record that goes by reference is looked at by the channel's guard, so that it is refused exactly if the codec of a
// channel that encodes would refuse it: which slot a record hits must not decide whether it is wrong.
//
// Budget: 15 ns per record beyond the codec's `append` or the guard, no allocation.

import type { ChannelSelector } from "./channel-selector.ts";
import type { OutputChannel } from "./output-channel.ts";

export type Emit = (record: unknown, timestampMs: number) => void;

export type EmitOptions = {
  readonly name: string;
  readonly selector: ChannelSelector;
  readonly channels: readonly OutputChannel[];
  readonly batchBytesMax: number;
  /** The channel has reached its limit; `record` is the one staged last. */
  readonly onFull: (channel: number, record: unknown) => void;
  /** The record was not staged, because it does not fit the channel's codec or guard. */
  readonly onMisfit: (channel: number, record: unknown, timestampMs: number) => void;
};

export function compileEmit(options: EmitOptions): Emit {
  const { selector, channels } = options;
  const locals = channels.map((channel) => channel.local);
  const stage =
    selector.index === null
      ? `for (let channel = 0; channel < ${channels.length}; channel += 1) { ${stageCode(locals, options.batchBytesMax)} }`
      : `const channel = ${selector.index}; ${stageCode(locals, options.batchBytesMax)}`;
  const names = Object.keys(selector.bindings);
  const text = `"use strict"; // emit ${JSON.stringify(options.name)}
${selector.state}
return function emit(record, timestampMs) {
  ${selector.setup}
  ${stage}
};
//# sourceURL=millrace-emit-${encodeURIComponent(options.name)}.js`;
  const make = new Function("channels", "onFull", "onMisfit", ...names, text);
  return make(channels, options.onFull, options.onMisfit, ...names.map((name) => selector.bindings[name])) as Emit;
}

function stageCode(locals: readonly boolean[], batchBytesMax: number): string {
  const local = `const to = channels[channel];
    if (!to.guard(record, to.count === 0)) onMisfit(channel, record, timestampMs);
    else if (to.stageRow(record, timestampMs)) onFull(channel, record);`;
  const encoded = `const writer = channels[channel].writer;
    if (writer === null || !writer.append(record, timestampMs)) onMisfit(channel, record, timestampMs);
    else if (writer.bytes >= ${batchBytesMax}) onFull(channel, record);`;
  if (locals.every((isLocal) => isLocal)) return local;
  if (locals.every((isLocal) => !isLocal)) return encoded;
  const index = locals.indexOf(true);
  // Tasks of one slot: at most one channel is local, unless several targets share the slot.
  const isLocal = locals.indexOf(true, index + 1) < 0 ? `channel === ${index}` : "channels[channel].local";
  return `if (${isLocal}) { ${local} } else { ${encoded} }`;
}
