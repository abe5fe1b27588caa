import type { Mutant } from "../mutant.ts";

const EXPIRY = "src/state/managed/row-expiry.ts";
const HEAP = "src/state/pages/timer-heap.ts";
const TIMERS = "src/state/timers/managed-timers.ts";
const LIST = "src/state/managed/managed-list.ts";
const TABLE = "src/state/table/managed-table.ts";
const LISTS = "src/state/table/namespace-lists.ts";
const VALUE = "src/state/managed/managed-value.ts";
const PAGES = "src/state/pages/page-allocator.ts";
const STORE = "src/state/store/keyed-store.ts";
const SORTED = "src/state/table/sorted-table.ts";
const STORE_TESTS = ["src/state/managed/managed-store.test.ts"];
const IN_ORDER_TESTS = ["src/operators/in-order/in-order-operator.test.ts"];

export const STATE: readonly Mutant[] = [
  {
    name: "a key group that was cleared is taken for one whose index is to be built",
    file: "src/state/table/row-index.ts",
    find: "    this.#awaited[group] = 0;\n    this.filled",
    replace: "    this.filled",
    tests: ["src/state/table/group-pages.test.ts"],
  },
  {
    name: "an index is placed anew in pages that nobody asked for",
    file: "src/state/table/row-index.ts",
    find: "      this.#allocator.writable(page / 2);\n",
    replace: "",
    tests: ["src/state/table/managed-table.test.ts"],
  },
  {
    name: "a page that is released while it is frozen is told to nobody",
    file: PAGES,
    find: "    this.writable(page);\n",
    replace: "",
  },
  {
    name: "a page is released by whoever knows its address",
    file: PAGES,
    find: "assert(holder === owner.number, ",
    replace: "assert(holder !== -1, ",
  },
  {
    name: "what an owner leaves behind stays held",
    file: PAGES,
    find: "    this.#releaseAll(owner);\n",
    replace: "",
  },
  {
    name: "what a store holds after its release is laid to nobody",
    file: STORE,
    find: "    allocator.endOwner(owner);\n",
    replace: "",
    tests: ["src/taskmanager/slot/slot-states.test.ts"],
  },
  {
    name: "the most that an operator held is what it holds",
    file: "src/state/pages/memory-owner.ts",
    find: "if (this.usedBytes > this.peakBytes) this.peakBytes",
    replace: "this.peakBytes",
    tests: ["src/taskmanager/slot/slot-states.test.ts"],
  },
  {
    name: "one frozen page of a batch is written to without a word",
    file: PAGES,
    find: "for (let n = 0; n < count; n += 1) this.writable(addresses[n]!);",
    replace: "for (let n = 1; n < count; n += 1) this.writable(addresses[n]!);",
  },
  {
    name: "a page that was asked for stays frozen",
    file: PAGES,
    find: "    this.#frozen[number >>> 5]! &= ~(1 << (number & 31));\n",
    replace: "",
  },
  {
    name: "the row that comes behind a removed one is linked without a word",
    file: LISTS,
    find: "if (next !== NONE) i32[this.#previousAt(this.#writable(group, next))] = previous;",
    replace: "if (next !== NONE) i32[this.#previousAt(this.#rows.address(group, next))] = previous;",
  },
  {
    name: "an entry of the index is written without a word",
    file: "src/state/table/row-index.ts",
    find: "    this.#allocator.writable(position >>> 1);\n",
    replace: "",
  },
  {
    name: "bytes are written into the log without a word",
    file: "src/state/table/blob-log.ts",
    find: "      this.#allocator.writable(Math.floor(at / 8));\n",
    replace: "",
  },
  {
    name: "a value is written over without a word",
    file: VALUE,
    find: "if (this.#format.write(value, this.#table.writable(address) + this.#valueWord)) return;",
    replace: "if (this.#format.write(value, address + this.#valueWord)) return;",
  },
  {
    name: "a timer is moved without a word",
    file: TIMERS,
    find: "f64[this.#table.writable(row) + this.#timeWord] = atMs;",
    replace: "f64[row + this.#timeWord] = atMs;",
    tests: STORE_TESTS,
  },
  {
    name: "a row page says which group of its table it is of, not which key group",
    file: "src/state/table/row-pages.ts",
    find: "i32[header + at.PAGE_GROUP] = group + this.#firstGroup;",
    replace: "i32[header + at.PAGE_GROUP] = group;",
  },
  {
    name: "namespaces of a loaded key group are not found",
    file: "src/state/table/namespace-lists.ts",
    find: "this.#heads.load(group, this.#namespaceOf(address), row) === HEAD_REFUSED",
    replace: "this.#namespaceOf(address) === HEAD_REFUSED",
  },
  {
    name: "the least holders are named, not the greatest",
    file: PAGES,
    find: "greater.sort((left, right) => right.bytes - left.bytes)",
    replace: "greater.sort((left, right) => left.bytes - right.bytes)",
  },
  {
    name: "what operators keep for themselves is to be cleared by the user",
    file: "src/state/store/operator-tables.ts",
    find: "account(spec.name, ADVICE) };\n    const heads",
    replace: "account(spec.name) };\n    const heads",
    tests: ["src/taskmanager/drivers/waiting-files.test.ts"],
  },
  {
    name: "the last key group belongs to nobody",
    file: "src/state/keys/key-groups.ts",
    find: "last: Math.floor(((index + 1) * maxParallelism - 1) / parallelism),",
    replace: "last: Math.floor(((index + 1) * maxParallelism) / parallelism) - 1,",
  },
  {
    name: "a value is there for a millisecond longer than its ttl",
    file: EXPIRY,
    find: "this.#table.f64[address + this.#table.layout.valueWord]! >= this.#ttlMs;",
    replace: "this.#table.f64[address + this.#table.layout.valueWord]! > this.#ttlMs;",
  },
  {
    name: "a sweep removes what lives for another millisecond",
    file: EXPIRY,
    find: "if (f64[rows[n]! + layout.valueWord]! <= dueMs)",
    replace: "if (f64[rows[n]! + layout.valueWord]! <= dueMs + 1)",
  },
  {
    name: "a write does not prolong the life of a value",
    file: VALUE,
    find: "    this.#expiry?.stamp(this.#row.find());\n",
    replace: "",
  },
  {
    name: "a snapshot holds what has expired",
    file: VALUE,
    find: "      if (this.#expiry?.isExpired(address) === true) return;\n      writeRowKey",
    replace: "      writeRowKey",
  },
  {
    name: "a value that does not fit its type leaves an empty row behind",
    file: VALUE,
    find: "      if (found === NONE) this.#row.remove();\n      throw valueMisfit",
    replace: "      throw valueMisfit",
  },
  {
    name: "a restored value lives anew from the restore on",
    file: VALUE,
    find: "    this.#expiry?.stampAt(this.#row.find(), stamp);\n",
    replace: "    void stamp;\n    this.#expiry?.stamp(this.#row.find());\n",
  },
  {
    name: "timers of one time fire in any order",
    file: HEAP,
    find: "    if (hash !== otherHash) return hash < otherHash;\n",
    replace: "    if (hash !== otherHash) return hash > otherHash;\n",
  },
  {
    name: "a timer that was moved to a later time fires at its earlier one",
    file: HEAP,
    find: "      if (this.#f64[entry] === timeMs) return row;\n",
    replace: "      if (this.#f64[entry]! <= timeMs) return row;\n",
  },
  {
    name: "the entry that takes a removed timer's place is not sunk",
    file: HEAP,
    find: "if (this.#raise(index, timeMs, hash, moved) === index) this.#sink(index, timeMs, hash, moved);",
    replace: "this.#raise(index, timeMs, hash, moved);",
  },
  {
    name: "the last of four children of a timer is passed over",
    file: HEAP,
    find: "const end = Math.min(from + 4, this.size);",
    replace: "const end = Math.min(from + 3, this.size);",
  },
  {
    name: "a timer moved to an earlier time keeps its place",
    file: TIMERS,
    find: "    if (atMs < before) this.#heaps[domain as 0 | 1].advance(row);\n",
    replace: "    void before;\n",
    tests: STORE_TESTS,
  },
  {
    name: "a timer is removed only after its callback",
    file: TIMERS,
    find: "      this.#remove(row);\n      this.#current.set(fired.key, fired.hash);\n      onTimer(fired);",
    replace: "      this.#current.set(fired.key, fired.hash);\n      onTimer(fired);\n      this.#remove(row);",
    tests: STORE_TESTS,
  },
  {
    name: "timers set while the last ones fire go on for ever",
    file: TIMERS,
    find: "      if (this.#isLastRun && domain === EVENT) this.dropped += 1;\n      else",
    replace: "      if (this.#isLastRun && domain === PROCESSING) this.dropped += 1;\n      else",
    tests: STORE_TESTS,
  },
  {
    name: "a timer due at the watermark itself waits for the next one",
    file: TIMERS,
    find: "while (heap.size > 0 && heap.leastMs() <= upToMs) {",
    replace: "while (heap.size > 0 && heap.leastMs() < upToMs) {",
    tests: STORE_TESTS,
  },
  {
    name: "an item that fills a chunk of a list is not counted",
    file: LIST,
    find: "    this.#setCounter(address, ITEMS, this.#counter(address, ITEMS) + 1);\n    return true;",
    replace: "    if (used > 0) this.#setCounter(address, ITEMS, this.#counter(address, ITEMS) + 1);\n    return true;",
  },
  {
    name: "a list that is replaced keeps its old chunks",
    file: LIST,
    find: "    this.#removeChunks(address, first, last);\n    this.#setCounter(address, ITEMS, items.length);",
    replace: "    void first;\n    this.#setCounter(address, ITEMS, items.length);",
  },
  {
    name: "an empty row stays behind when the budget refuses an item",
    file: LIST,
    find: "      if (found === NONE) this.#row.remove();\n      throw this.#lists.exceeded();\n    }\n    this.#expiry?.stamp(address);",
    replace: "      throw this.#lists.exceeded();\n    }\n    this.#expiry?.stamp(address);",
  },
  {
    name: "a row removed in the middle of its namespace cuts off those behind it",
    file: LISTS,
    find: "    if (previous !== NONE) i32[this.#nextAt(this.#writable(group, previous))] = next;\n",
    replace: "    if (previous !== NONE) i32[this.#nextAt(this.#writable(group, previous))] = NONE;\n",
  },
  {
    name: "a removed row's variable part stays in the log",
    file: TABLE,
    find: "    if (this.spec.blob) this.blobs.clear(address);\n    this.#index.remove(",
    replace: "    this.#index.remove(",
  },
  {
    name: "a table counts rows that were removed",
    file: TABLE,
    find: "    this.#rows.release(address);\n    this.size -= 1;",
    replace: "    this.#rows.release(address);",
  },
  {
    name: "a row moved to another namespace is still found in the old one",
    file: LISTS,
    find: "    this.remove(group, address);\n    this.#linkBefore(group, address, row, head);",
    replace: "    this.#linkBefore(group, address, row, head);",
  },
  {
    name: "a page that is released twice is given to two owners",
    file: PAGES,
    find: "    this.#owner[number] = NOBODY;\n",
    replace: "",
  },
  {
    name: "blocks without used pages are kept",
    file: PAGES,
    find: "if (this.#free[block] === this.#pagesPerBlock && !isOnlyOpen) this.#removeBlock(block);",
    replace: "if (this.#free[block] === this.#pagesPerBlock && isOnlyOpen) return;",
  },
  {
    name: "a released page is not taken off its account",
    file: PAGES,
    find: "    owner.charge(account, -PAGE_BYTES);\n",
    replace: "",
  },
  {
    name: "a state that is declared otherwise than in its snapshot is restored all the same",
    file: STORE,
    find: '      this.#expectSame(`state "${spec.name}"`, known.spec, spec);\n',
    replace: "",
    tests: STORE_TESTS,
  },
  {
    name: "a snapshot leaves out the timers of its key group",
    file: STORE,
    find: "    this.#timers.snapshot(group, out);\n",
    replace: "",
    tests: STORE_TESTS,
  },
  {
    name: "map entries on the heap that are overwritten keep their first time",
    file: "src/state/heap/heap-map.ts",
    find: "    item.bytes += growth;\n    item.stamp = stamp;",
    replace: "    item.bytes += growth;",
  },
  {
    name: "a map on the heap counts entries that have expired",
    file: "src/state/heap/heap-map.ts",
    find: "for (const item of items.values()) if (!this.#entries.isExpired(item)) size += 1;",
    replace: "for (const _item of items.values()) size += 1;",
  },
  {
    name: "the values of a map on the heap are the user's own objects",
    file: "src/state/heap/heap-map.ts",
    find: "return item === undefined ? ABSENT : this.#values.copy(item.value);",
    replace: "return item === undefined ? ABSENT : item.value;",
  },
  {
    name: "the heap store gives out the value that it keeps",
    file: "src/state/heap/heap-value.ts",
    find: "return entry === undefined ? ABSENT : this.#values.copy(entry.value);",
    replace: "return entry === undefined ? ABSENT : entry.value;",
  },
  {
    name: "the heap store keeps the value that its writer still has",
    file: "src/state/heap/heap-entries.ts",
    find: "const kept = this.#read();",
    replace: "const kept = value;",
  },
  {
    name: "of equal times the youngest comes first",
    file: SORTED,
    find: "    if (order !== 0) return order;\n",
    replace: "    if (order !== 0) return -order;\n",
    tests: IN_ORDER_TESTS,
  },
  {
    name: "equal times go by arrival, whatever channels they came by",
    file: SORTED,
    find: "    this.#heap.push(row, channel);\n",
    replace: "    this.#heap.push(row, 0);\n",
    tests: IN_ORDER_TESTS,
  },
  {
    name: "what arrives after a restore is older than what was restored",
    file: SORTED,
    find: "      this.#arrival = Math.max(this.#arrival, arrival + 1);\n",
    replace: "",
    tests: IN_ORDER_TESTS,
  },
];
