// Generates the function that stages one record in the right channel. One per result partition, with a source text of
// its own: generated functions with equal text share one compiled function and its type feedback.
//
// A record that goes by reference is looked at by the channel's guard, so that it is refused exactly if the codec of a
// channel that encodes would refuse it: which slot a record hits must not decide whether it is wrong.
//
// Budget: 15 ns per record beyond the codec's `append` or the guard, no allocation.

import type { RowKind } from "../types/bytes/row-kind.ts";
import type { ChannelSelector } from "./channel-selector.ts";
import type { OutputChannel } from "./output-channel.ts";

/** Without kinds, of an edge of inserts alone, `kind` is not looked at. */
export type Emit = (record: unknown, timestampMs: number, kind?: RowKind) => void;

export type EmitOptions = {
  readonly name: string;
  readonly selector: ChannelSelector;
  readonly channels: readonly OutputChannel[];
  readonly batchBytesMax: number;
  /** Whether records may be other than inserts. */
  readonly kinds: boolean;
  /** The field by which records of two kinds are told apart (CodecPair); null: they are of one kind. */
  readonly tellingField: string | null;
  /** Records of the other kind follow in the channel. */
  readonly onTurn: (channel: number, isWithout: boolean) => void;
  /** The channel has reached its limit; `record` is the one staged last. */
  readonly onFull: (channel: number, record: unknown) => void;
  /** The record was not staged, because it does not fit the channel's codec or guard. */
  readonly onMisfit: (channel: number, record: unknown, timestampMs: number, kind?: RowKind) => void;
};

export function compileEmit(options: EmitOptions): Emit {
  const { selector, channels, tellingField, kinds } = options;
  const locals = channels.map((channel) => channel.local);
  const stageAny = stageCode(locals, kinds);
  const parameters = kinds ? "record, timestampMs, kind = 0" : "record, timestampMs";
  const stageOne = tellingField === null ? stageAny : kindsCode(tellingField, stageAny);
  const stage =
    selector.index === null
      ? `for (let channel = 0; channel < ${channels.length}; channel += 1) { ${stageOne} }`
      : `const channel = ${selector.index}; ${stageOne}`;
  const names = Object.keys(selector.bindings);
  const text = `"use strict"; // emit ${JSON.stringify(options.name)}
${selector.state}
${tellingField === null ? "" : `function stageWith(channel, record, timestampMs) { ${turnCode(false)} ${stageAny} }`}
return function emit(${parameters}) {
  ${selector.setup}
  ${stage}
};
//# sourceURL=millrace-emit-${encodeURIComponent(options.name)}.js`;
  const make = new Function("channels", "bytesMax", "onTurn", "onFull", "onMisfit", ...names, text);
  const values = names.map((name) => selector.bindings[name]);
  const { batchBytesMax, onTurn, onFull, onMisfit } = options;
  return make(channels, batchBytesMax, onTurn, onFull, onMisfit, ...values) as Emit;
}

/** Each kind has code of its own, in which V8 sees the calls of one codec only and can inline them. */
function kindsCode(field: string, stage: string): string {
  return `if (record[${JSON.stringify(field)}] !== undefined) stageWith(channel, record, timestampMs);
    else { ${turnCode(true)} ${stage} }`;
}

function turnCode(isWithout: boolean): string {
  return `if (channels[channel].isWithout !== ${isWithout}) onTurn(channel, ${isWithout});`;
}

function stageCode(locals: readonly boolean[], kinds: boolean): string {
  const args = kinds ? "record, timestampMs, kind" : "record, timestampMs";
  const local = `const to = channels[channel];
    if (!to.guard(record, to.count === 0)) onMisfit(channel, ${args});
    else if (to.${kinds ? "stageChange" : "stageRow"}(${args})) onFull(channel, record);`;
  const encoded = `const to = channels[channel];
    const writer = to.writer;
    if (writer === null || !writer.append(${args})) onMisfit(channel, ${args});
    else if (writer.bytes >= bytesMax || writer.count >= to.batchRecordsMax) onFull(channel, record);`;
  if (locals.every((isLocal) => isLocal)) return local;
  if (locals.every((isLocal) => !isLocal)) return encoded;
  const index = locals.indexOf(true);
  // Tasks of one slot: at most one channel is local, unless several targets share the slot.
  const isLocal = locals.indexOf(true, index + 1) < 0 ? `channel === ${index}` : "channels[channel].local";
  return `if (${isLocal}) { ${local} } else { ${encoded} }`;
}
