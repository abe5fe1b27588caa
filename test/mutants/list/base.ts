import type { Mutant } from "../mutant.ts";

const METRIC_STORE = "src/metrics/metric-store.ts";
const METRICS_TESTS = ["src/metrics/metrics.test.ts", "src/metrics/metric-rates.test.ts"];

/** Of base, config and metrics. */
export const BASE: readonly Mutant[] = [
  {
    name: "equal values whose fields stand in another order have different hashes",
    file: "src/base/canonical-json.ts",
    find: "for (const key of Object.keys(value).sort()) {",
    replace: "for (const key of Object.keys(value)) {",
    tests: ["src/base/canonical-json.test.ts"],
  },
  {
    name: "a field that is undefined changes a hash",
    file: "src/base/canonical-json.ts",
    find: "if (item !== undefined) parts.push(",
    replace: "parts.push(",
    tests: ["src/base/canonical-json.test.ts"],
  },
  {
    name: "infinity and null are the same in a hash",
    file: "src/base/canonical-json.ts",
    find: 'if (typeof value === "number" && !Number.isFinite(value)) return `"${value}"`;\n',
    replace: "",
    tests: ["src/base/canonical-json.test.ts"],
  },
  {
    name: "minutes are taken for months: a minute has 60 hours",
    file: "src/base/duration.ts",
    find: "m: 60_000, h: 3_600_000",
    replace: "m: 3_600_000, h: 3_600_000",
    tests: ["src/base/duration.test.ts"],
  },
  {
    name: "a duration with something behind its unit is taken",
    file: "src/base/duration.ts",
    find: "(ms|s|m|h|d)$/;",
    replace: "(ms|s|m|h|d)/;",
    tests: ["src/base/duration.test.ts"],
  },
  {
    name: "what is left of a duration in words is not taken off",
    file: "src/base/duration.ts",
    find: "    rest -= count * size;\n",
    replace: "",
    tests: ["src/base/duration.test.ts"],
  },
  {
    name: "a kibibyte has 1,000 bytes",
    file: "src/base/memory-size.ts",
    find: "const KIB = 1024;",
    replace: "const KIB = 1000;",
  },
  {
    name: "a swap of neighbours counts as two mistakes",
    file: "src/base/nearest.ts",
    find: "if (swapped) distance = Math.min(distance, older[column - 2]! + 1);",
    replace: "if (swapped) distance = Math.min(distance, older[column - 2]! + 2);",
  },
  {
    name: "draws of a seeded stream depend on where it was before",
    file: "src/base/seeded-random.ts",
    find: "this.#state = mixIndex(seed, index);",
    replace: "this.#state = mixIndex(seed, index) ^ this.#state;",
    tests: ["src/base/seeded-random.test.ts"],
  },
  {
    name: "a layer of the configuration does not override those before it",
    file: "src/config/configuration.ts",
    find: "return new Configuration([...this.layers, layer]);",
    replace: "return new Configuration([layer, ...this.layers]);",
  },
  {
    name: "a key set twice in one layer is taken",
    file: "src/config/configuration.ts",
    find: "    if (found.has(key)) throw duplicateKey(key, from);\n",
    replace: "",
  },
  {
    name: "the value of a key with an api-key in its name is shown",
    file: "src/config/configuration.ts",
    find: "const SECRET = /password|secret|token|credential|api-?key/i;",
    replace: "const SECRET = /password|secret|token|credential/i;",
  },
  {
    name: "a rate is per minute",
    file: "src/metrics/metric-rates.ts",
    find: "const rate = ((this.#store.value(entry) - before) / elapsedMs) * 1_000;",
    replace: "const rate = ((this.#store.value(entry) - before) / elapsedMs) * 60_000;",
  },
  {
    name: "samples outside the window are kept",
    file: "src/metrics/metric-rates.ts",
    find: "while ((this.#samples[1]?.atMs ?? nowMs) <= nowMs - this.#windowMs) this.#samples.shift();",
    replace: "while ((this.#samples[0]?.atMs ?? nowMs) < nowMs - this.#windowMs * 2) this.#samples.shift();",
  },
  {
    name: "metrics go on changing after the end of a job",
    file: "src/metrics/metric-store.ts",
    find: "for (const [slot, values] of this.#values) this.#values.set(slot, values.slice());",
    replace: "for (const [slot, values] of this.#values) this.#values.set(slot, values);",
  },
  {
    name: "the least of several distributions is that of the last",
    file: "src/metrics/metric-store.ts",
    find: "const least = before === 0 ? numbers[2] : Math.min(total[2] ?? 0, numbers[2] ?? 0);",
    replace: "const least = before === 0 ? numbers[2] : Math.max(total[2] ?? 0, numbers[2] ?? 0);",
  },
  {
    name: "what stood in a cell makes an issue of its own",
    file: "src/metrics/issue-counts.ts",
    find: '.replace(CELL, "$1…")',
    replace: '.replace(CELL, "$&")',
  },
  {
    name: "the hint behind a JSON value is left out of its issue",
    file: "src/metrics/issue-counts.ts",
    find: '"…" : ""}${hint}`',
    replace: '"…" : ""}`',
  },
  {
    name: "an operator has one issue more than it may",
    file: "src/metrics/issue-counts.ts",
    find: "this.#kinds.size === KINDS_MAX",
    replace: "this.#kinds.size > KINDS_MAX",
  },
  {
    name: "the rarest issue passes for the commonest",
    file: "src/metrics/issue-counts.ts",
    find: "count > (commonest?.count ?? 0)",
    replace: "count < (commonest?.count ?? Infinity)",
  },
  {
    name: "time since the last mark of a task does not count",
    file: METRIC_STORE,
    find: 'return entry.operator === null && entry.kind === "counter" ? value + this.#underWay(entry) : value;',
    replace: "return value;",
    tests: ["src/taskmanager/task/task-metrics.test.ts"],
  },
  {
    name: "numbers that a metric is the sum of are left out",
    file: METRIC_STORE,
    find: "if (entry.plus !== undefined) for (const index of entry.plus) value += this.#number(entry.slot, index);",
    replace: "",
    tests: METRICS_TESTS,
  },
  {
    name: "a second definition of a slot forgets its numbers",
    file: METRIC_STORE,
    find: "if (!this.#values.has(slot)) this.#values.set(slot, new Float64Array(memory));",
    replace: "this.#values.set(slot, new Float64Array(memory.byteLength / 8));",
    tests: METRICS_TESTS,
  },
  {
    name: "a name of which nothing is left is a near one",
    file: "src/base/nearest.ts",
    find: "Math.max(2, Math.floor(longer / 3)), Math.floor(longer / 2));",
    replace: "Math.max(2, Math.floor(longer / 3)));",
  },
  {
    name: "cleaning up hides what was thrown first",
    file: "src/base/errors.ts",
    find: "at = at.suppressed;",
    replace: "at = at.error;",
    tests: ["src/taskmanager/failures/odd-throws.test.ts"],
  },
];
