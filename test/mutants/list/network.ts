import type { Mutant } from "../mutant.ts";

const CHANNEL = "src/network/output-channel.ts";
const PARTITION = "src/network/result-partition.ts";
const GATE = "src/network/input-gate.ts";
const RING = "src/network/ring-link.ts";
const LOCAL = "src/network/local-link.ts";
const STOCK = "src/network/segment-stock.ts";
const KINDS_TESTS = ["src/network/row-kinds.test.ts", "src/network/output-channel.test.ts"];
const FRAMED = "src/network/framed-connection.ts";
const RESULT_PARTITION_TESTS = ["src/network/result-partition.test.ts", "src/network/output-channel.test.ts"];

export const NETWORK: readonly Mutant[] = [
  {
    name: "a watermark overtakes the records that wait for room",
    file: CHANNEL,
    find: "    if (!this.#flushRecords()) return false;\n    if (this.#watermark > this.#watermarkSent) {",
    replace: "    const sent = this.#flushRecords();\n    if (this.#watermark > this.#watermarkSent) {",
  },
  {
    name: "a watermark without room counts as sent",
    file: CHANNEL,
    find: "      if (!this.sender.sendControl(ELEMENT.watermark, this.#watermark)) return false;\n      this.#watermarkSent = this.#watermark;",
    replace:
      "      this.#watermarkSent = this.#watermark;\n      if (!this.sender.sendControl(ELEMENT.watermark, this.#watermark)) return false;",
  },
  {
    name: "an end is sent before what is staged",
    file: CHANNEL,
    find: "return this.flush() && this.sender.sendControl(ELEMENT.end, 0);",
    replace: "this.flush();\n    return this.sender.sendControl(ELEMENT.end, 0);",
  },
  {
    name: "the times of rows by reference are not sent along",
    file: CHANNEL,
    find: "const times = this.#timestamps ? this.times.subarray(0, this.count) : null;",
    replace: "const times = null;",
  },
  {
    name: "times of staged rows are lost when their array grows",
    file: CHANNEL,
    find: "    grown.set(this.times);\n",
    replace: "",
  },
  {
    name: "the rows array of a batch is used again while its receiver reads it",
    file: CHANNEL,
    find: "    this.rows = new Array(this.batchRecordsMax);\n",
    replace: "",
  },
  {
    name: "the array of times is used again while its receiver reads it",
    file: CHANNEL,
    find: "    if (this.#timestamps) this.times = new Float64Array(this.batchRecordsMax);",
    replace:
      "    if (this.#timestamps && this.times.length === 0) this.times = new Float64Array(this.batchRecordsMax);",
  },
  {
    name: "records of an older shape that wait are sent behind the newer ones",
    file: CHANNEL,
    find: "    while (this.#older.length > 0) {\n      const [first] = this.#older;",
    replace: "    while (this.#older.length > 0 && this.writer?.count === 0) {\n      const [first] = this.#older;",
  },
  {
    name: "the schema of a new shape is not announced again after it was refused",
    file: CHANNEL,
    find: "      if (!this.sender.sendSchema(schema)) return false;\n      if (writer === this.writer) this.#schema = null;",
    replace:
      "      const sent = this.sender.sendSchema(schema);\n      if (writer === this.writer) this.#schema = null;\n      if (!sent) return false;",
  },
  {
    name: "that an input is idle is said before its last records",
    file: CHANNEL,
    find: "  #flushAll(): boolean {\n",
    replace:
      "  #flushAll(): boolean {\n    if (this.#idle !== this.#idleSent && this.sender.sendControl(ELEMENT.idle, this.#idle ? 1 : 0)) this.#idleSent = this.#idle;\n",
  },
  {
    name: "a watermark that goes back is passed on",
    file: PARTITION,
    find: "if (watermark <= this.#watermark || watermark === Infinity) return;",
    replace: "if (watermark === Infinity) return;",
  },
  {
    name: "the end of the input is sent as a watermark",
    file: PARTITION,
    find: "if (watermark <= this.#watermark || watermark === Infinity) return;",
    replace: "if (watermark <= this.#watermark) return;",
  },
  {
    name: "a partial batch of a busy task waits for ever",
    file: PARTITION,
    find: "if (channel.refused || ageMs >= bufferTimeoutMs) return true;",
    replace: "if (channel.refused) return true;",
  },
  {
    name: "the age of a partial batch is that of its latest record",
    file: PARTITION,
    find: "if (channel.stagedSinceMs < 0) channel.stagedSinceMs = nowMs;",
    replace: "channel.stagedSinceMs = nowMs;",
  },
  {
    name: "the receiver is not told of what was sent in a turn",
    file: PARTITION,
    find: "      channel.sender.announce();\n",
    replace: "",
  },
  {
    name: "only the first channel is drained",
    file: PARTITION,
    find: "if (this.#isOver(channel) && !channel.flush()) drained = false;",
    replace: "if (drained && this.#isOver(channel) && !channel.flush()) return false;",
  },
  {
    name: "one call may emit beyond the overdraft",
    file: PARTITION,
    find: "if (channel.stagedRecords() > overdraftRecordsMax)",
    replace: "if (channel.count > overdraftRecordsMax)",
  },
  {
    name: "one channel of a gate is polled until it has nothing",
    file: GATE,
    find: "      if (element === null) continue;\n      into.element = element;",
    replace:
      "      if (element === null) continue;\n      this.#next = this.channels.indexOf(channel);\n      into.element = element;",
  },
  {
    name: "a schema applies to all channels of a gate",
    file: GATE,
    find: "    channel.setCodec(codec);\n  }\n}",
    replace: "    for (const each of this.channels) each.setCodec(codec);\n  }\n}",
  },
  {
    name: "the last part of a batch in several segments says that more comes",
    file: RING,
    find: "const more = span.position < span.size ? 1 : 0;",
    replace: "const more = span.position <= span.size ? 1 : 0;",
  },
  {
    name: "a producer without room is not rung when its consumer makes some",
    file: RING,
    find: "      Atomics.store(this.#i32, STARVED, 0);\n      this.#options.sender.ring();",
    replace: "      Atomics.store(this.#i32, STARVED, 0);",
  },
  {
    name: "a segment polled is given back before it is released",
    file: RING,
    find: "      this.#held = segment;\n",
    replace: "      this.#giveBack(segment);\n",
  },
  {
    name: "the ring overwrites the entry that is being read",
    file: RING,
    find: "return this.inFlight() < ENTRIES;",
    replace: "return this.inFlight() <= ENTRIES;",
  },
  {
    name: "the consumer is not rung for what was sent behind the fourth element",
    file: RING,
    find: "    if (this.#unannounced === ELEMENTS_PER_RING) this.announce();",
    replace: "    if (this.#unannounced === ELEMENTS_PER_RING) this.#options.receiver.ring();",
  },
  {
    name: "a channel may take the segments that are kept for others",
    file: STOCK,
    find: "return this.#free > (out < this.#exclusive ? 0 : this.#kept);",
    replace: "return this.#free > 0;",
  },
  {
    name: "a segment given back is not kept for its channel",
    file: STOCK,
    find: "    if (out < this.#exclusive) this.#kept += 1;\n",
    replace: "",
  },
  {
    name: "control elements count as batches of rows in a local link",
    file: LOCAL,
    find: "    if (element.rows) {\n      this.#rowBatches -= 1;",
    replace: "    this.#rowBatches -= 1;\n    if (element.rows) {",
  },
  {
    name: "a local link does not ring the sender that it refused",
    file: LOCAL,
    find: "  #refuse(): boolean {\n    this.#starved = true;\n",
    replace: "  #refuse(): boolean {\n",
  },
  {
    name: "round robin leaves out the last channel",
    file: "src/network/channel-selector.ts",
    find: "next === ${channels - 1} ? 0",
    replace: "next >= ${channels - 2} ? 0",
    tests: ["src/network/result-partition.test.ts"],
  },
  {
    name: "a slot that says that it sleeps reads the counter afterwards",
    file: "src/network/doorbell.ts",
    find: "    Atomics.store(this.#words, this.#at + SLEEPING, 1);\n    return counter;",
    replace: "    Atomics.store(this.#words, this.#at + SLEEPING, 1);\n    return counter + 1;",
    tests: ["test/integration/ring-threads.test.ts"],
  },
  {
    name: "what comes for an end that has closed reaches it",
    file: FRAMED,
    find: "    if (!this.#open) return; // T3\n",
    replace: "",
  },
  {
    name: "an end that was told that its connection is lost is told again",
    file: FRAMED,
    find: "    if (!this.#open) return;\n    this.#end();\n    this.#receiver.lost",
    replace: "    this.#end();\n    this.#receiver.lost",
  },
  {
    name: "requests that wait are not rejected when the connection is lost",
    file: FRAMED,
    find: "    for (const pending of [...this.#requests.values()]) pending.settle(this.#lost());\n",
    replace: "",
  },
  {
    name: "a message that is too large is sent",
    file: FRAMED,
    find: "    if (bytes > messageBytesMax) throw",
    replace: "    if (bytes > 2 * messageBytesMax) throw",
  },
  {
    name: "the close of a connection overtakes what was sent before it",
    file: "src/network/direct-transport.ts",
    find: "end: () => down(() => toFar((to) => to.ended())),",
    replace: "end: () => toFar((to) => to.ended()),",
  },
  {
    name: "who dials where nobody listens waits for ever",
    file: "src/network/direct-transport.ts",
    find: "          near.ended();\n          return;",
    replace: "          return;",
  },
  {
    name: "a thread that has ended keeps its connections open",
    file: "src/network/port-transport.ts",
    find: '    options.port.on("exit", this.#ended);\n',
    replace: "",
  },
  {
    name: "a batch that is due in a moment is flushed at the next watch",
    file: PARTITION,
    find: "if (channel.stagedSinceMs >= 0 && !channel.refused)\n",
    replace: "if (channel.stagedSinceMs >= 0)\n",
    tests: RESULT_PARTITION_TESTS,
  },
  {
    name: "a channel that said its end says it again",
    file: PARTITION,
    find: "for (; this.#ended < this.#channels.length; this.#ended += 1) {",
    replace: "for (this.#ended = 0; this.#ended < this.#channels.length; this.#ended += 1) {",
    tests: RESULT_PARTITION_TESTS,
  },
  {
    name: "a partial batch is never sent early where time-outs are off",
    file: PARTITION,
    find: "return bufferTimeoutMs !== Infinity && this.#receiverIsFree",
    replace: "return this.#receiverIsFree",
    tests: RESULT_PARTITION_TESTS,
  },
  {
    name: "marks are sent as watermarks at the end of the batch",
    file: PARTITION,
    find: "      if (marks) channel.mark(watermark);\n      else channel.setWatermark(watermark);",
    replace: "      channel.setWatermark(watermark);\n      void marks;",
    tests: RESULT_PARTITION_TESTS,
  },
  {
    name: "a schema is not released",
    file: "src/network/input-gate.ts",
    find: "        channel.receiver.release();\n        element",
    replace: "        element",
    tests: ["src/network/input-gate.test.ts"],
  },
  {
    name: "a receiver is not told that records of the other kind follow",
    file: PARTITION,
    find: "else channel.setCodec(codec, announcement(codec));",
    replace: "else channel.setCodec(codec, null);",
  },
  {
    name: "each record of the second kind begins a batch",
    file: PARTITION,
    find: "    channel.isWithout = isWithout;\n",
    replace: "",
  },
  {
    name: "a record of the second kind is refused for not being one of the first",
    file: PARTITION,
    find: `const declared = "without" in shape ? shape.without : shape;`,
    replace: `const declared = "without" in shape ? shape.with : shape;`,
  },
  {
    name: "a mark before the first record of a shape is lost",
    file: "src/network/output-channel.ts",
    find: "    if (this.#marked > -Infinity) this.writer.mark(this.#marked);\n",
    replace: "",
  },
  {
    name: "rows by reference that follow a batch with changes take over its kinds",
    file: CHANNEL,
    find: "    this.kinds = NO_KINDS;\n",
    replace: "",
    tests: KINDS_TESTS,
  },
  {
    name: "an insert behind a change is staged without its kind",
    file: CHANNEL,
    find: "    if (kind !== ROW_KIND.insert || this.kinds.length > 0) {",
    replace: "    if (kind !== ROW_KIND.insert) {",
    tests: KINDS_TESTS,
  },
  {
    name: "a record that widens the shape loses its kind",
    file: PARTITION,
    find: "    if (channel.writer?.append(record, timestampMs, kind) !== true) throw",
    replace: "    if (channel.writer?.append(record, timestampMs) !== true) throw",
    tests: KINDS_TESTS,
  },
  {
    name: "a record that widens the shape by reference loses its kind",
    file: PARTITION,
    find: "    return channel.stageChange(record, timestampMs, kind);",
    replace: "    return channel.stageChange(record, timestampMs, ROW_KIND.insert);",
    tests: KINDS_TESTS,
  },
  {
    name: "shared memory counts as what travels",
    file: "src/network/message-bytes.ts",
    find: "if (value instanceof SharedArrayBuffer) return NUMBER_BYTES;",
    replace: "if (value instanceof SharedArrayBuffer) return value.byteLength;",
    tests: ["src/network/transport.test.ts"],
  },
  {
    name: "what is in a Map does not count",
    file: "src/network/message-bytes.ts",
    find: "if (Array.isArray(value) || value instanceof Map) for",
    replace: "if (Array.isArray(value)) for",
    tests: ["src/network/transport.test.ts"],
  },
];
