import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { EngineError } from "../base/errors.ts";
import type { ConfigLayer, Origin } from "./configuration.ts";
import { Configuration, configShow, defineConfig, environmentLayers, originText, secretMask } from "./configuration.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";

const FILE: Origin = { kind: "file", path: "millrace.config.json" };

function configured(values: unknown, origin: Origin = FILE): Configuration {
  return new Configuration([{ origin, values }]);
}

function refused(code: string, values: unknown): EngineError {
  try {
    configured(values);
  } catch (error) {
    assert.equal((error as EngineError).code, code);
    return error as EngineError;
  }
  assert.fail(`accepted: ${JSON.stringify(values)}`);
}

test("without layers every option has its default, and says so", () => {
  const configuration = new Configuration();
  for (const option of Object.values(OPTIONS) as Option<unknown>[]) {
    assert.equal(configuration.get(option), option.default);
    assert.equal(originText(configuration.origin(option)), "default");
    assert.equal(configuration.isSet(option), false);
  }
});

test("values have the type of their option", () => {
  const configuration = configured({ "taskmanager.memory.process.size": "4g", "state.backend.type": "hashmap" });
  const bytes: number | null = configuration.get(OPTIONS.processSize);
  const slots: number = configuration.get(OPTIONS.numberOfTaskSlots);
  const backend: "managed" | "hashmap" = configuration.get(OPTIONS.stateBackend);
  assert.deepEqual([bytes, slots, backend], [4 * 1024 ** 3, 1, "hashmap"]);
});

test("nested, dotted and mixed objects mean the same", () => {
  for (const values of [
    { "taskmanager.memory.process.size": "4g" },
    { taskmanager: { memory: { process: { size: "4g" } } } },
    { taskmanager: { "memory.process": { size: "4g" } } },
    { "taskmanager.memory": { "process.size": "4g" } },
  ]) {
    assert.equal(configured(values).get(OPTIONS.processSize), 4 * 1024 ** 3);
  }
});

test("command line wins over environment over job over file, whatever the order of the layers", () => {
  const layers: ConfigLayer[] = [
    { origin: { kind: "command line" }, values: { "parallelism.default": 1 } },
    { origin: { kind: "environment", name: "MILLRACE_PARALLELISM_DEFAULT" }, values: { "parallelism.default": "2" } },
    { origin: { kind: "job" }, values: { "parallelism.default": 3 } },
    { origin: FILE, values: { "parallelism.default": 4 } },
  ];
  for (let from = 0; from < layers.length; from += 1) {
    for (const some of [layers.slice(from), layers.slice(from).reverse()]) {
      const configuration = new Configuration(some);
      assert.equal(configuration.get(OPTIONS.parallelism), from + 1);
      assert.equal(configuration.origin(OPTIONS.parallelism), layers[from]?.origin);
    }
  }
});

test("of two layers of one kind the later wins", () => {
  const first = configured({ "parallelism.default": 2, "task.cancellation.timeout": "1s" });
  const second = first.with({ origin: { kind: "file", path: "b.json" }, values: { "parallelism.default": 3 } });
  assert.equal(second.get(OPTIONS.parallelism), 3);
  assert.equal(originText(second.origin(OPTIONS.parallelism)), "file b.json");
  assert.equal(second.get(OPTIONS.cancellationTimeout), 1000);
  assert.equal(first.get(OPTIONS.parallelism), 2, "the first is as it was");
});

test("the layers of a configuration can be cloned to another thread and make it again", () => {
  const configuration = configured({ taskmanager: { numberOfTaskSlots: 3 } });
  const copy = new Configuration(structuredClone(configuration.layers));
  assert.deepEqual(configShow(copy), configShow(configuration));
});

test("an unknown key is refused with the key that was probably meant", () => {
  const cases: [unknown, RegExp][] = [
    [{ "taskmanager.numberOfTaskSlot": 2 }, /did you mean taskmanager\.numberOfTaskSlots\?/],
    [{ taskmanager: { memory: { proces: { size: "1g" } } } }, /did you mean taskmanager\.memory\.process\.size\?/],
    [{ "parallelism.defualt": 2 }, /did you mean parallelism\.default\?/],
    [{ "taskmanager.memory.jvm-overhead.min": "1g" }, /there is no JVM.*v8-overhead/],
    [{ "execution.checkpointing.unaligned.enabled": true }, /buffer-debloat/],
    [{ "execution.checkpointing.unaligned": { enabled: false } }, /buffer-debloat/],
    [{ "execution.checkpointing.aligned-checkpoint-timeout": "1s" }, /buffer-debloat/],
    [{ "taskmanager.network.memory.buffer-debloat.samples": 5 }, /buffer-debloat\.period/],
    [{ nonsense: 1 }, /millrace config show/],
    [{ taskmanager: {} }, /millrace config show/],
    [JSON.parse('{"__proto__": {"numberOfTaskSlots": 2}}'), /millrace config show/],
  ];
  for (const [values, fix] of cases) {
    const error = refused("CONFIG_UNKNOWN_KEY", values);
    assert.match(error.fix ?? "", fix);
    assert.match(error.message, /file millrace\.config\.json/);
  }
});

test("an object that contains itself is refused", () => {
  const values: Record<string, unknown> = {};
  values.a = values;
  refused("CONFIG_UNKNOWN_KEY", values);
});

test("an ill-typed value is refused with its key, itself, its origin and the expected form", () => {
  const cases: [string, unknown, RegExp][] = [
    ["parallelism.default", 0, /an integer from 1 to 32768/],
    ["parallelism.default", 1.5, /an integer/],
    ["parallelism.default", "two", /an integer/],
    ["parallelism.default", null, /an integer/],
    ["parallelism.default", true, /an integer/],
    ["parallelism.default", [2], /an integer/],
    ["parallelism.default", { a: 1 }, /an integer/],
    ["parallelism.default", 1n, /an integer/],
    ["parallelism.default", () => 1, /an integer/],
    ["taskmanager.memory.process.size", "4 parsecs", /a memory size like "64mb"/],
    ["taskmanager.memory.process.size", -1, /a memory size/],
    ["taskmanager.memory.process.size", "0.3b", /a memory size/],
    ["taskmanager.memory.segment-size", "33kb", /a power of two/],
    ["taskmanager.memory.segment-size", "1kb", /at least 4kb/],
    ["taskmanager.memory.managed.fraction", 1.01, /a fraction from 0 to 1/],
    ["taskmanager.memory.managed.fraction", "", /a fraction from 0 to 1/],
    ["taskmanager.memory.managed.fraction", Number.NaN, /a fraction from 0 to 1/],
    ["execution.buffer-timeout.interval", "5 parsecs", /a duration like/],
    ["execution.buffer-timeout.interval", "-5s", /a duration like/],
    ["execution.buffer-timeout.interval", Number.POSITIVE_INFINITY, /a duration like/],
    ["millrace.task.watchdog-timeout", "0s", /of at least 10 ms/],
    ["execution.buffer-timeout.enabled", "yes", /true or false/],
    ["state.backend.type", "rocksdb", /one of "managed", "hashmap"/],
  ];
  for (const [key, value, expected] of cases) {
    const error = refused("CONFIG_BAD_VALUE", { [key]: value });
    assert.match(
      error.message,
      new RegExp(`^${key.replaceAll(".", "\\.")} is .* \\(file millrace\\.config\\.json\\)$`),
    );
    assert.match(error.fix ?? "", expected);
  }
  for (const values of [null, [], "text", 7, undefined]) refused("CONFIG_BAD_VALUE", values);
});

test("values are read as users write them", () => {
  const reads = (option: Option<number> | Option<number | null> | Option<boolean>, value: unknown) =>
    configured({ [option.key]: value }).get<number | boolean | null>(option);
  const sizes: [unknown, number][] = [
    ["64mb", 67_108_864],
    ["64 MB", 67_108_864],
    ["1.5g", 1_610_612_736],
    ["1gib", 1_073_741_824],
    [4096, 4096],
    ["4096", 4096],
    ["10 bytes", 10],
  ];
  for (const [value, bytes] of sizes) assert.equal(reads(OPTIONS.processSize, value), bytes);
  const durations: [unknown, number][] = [
    ["100 ms", 100],
    ["5s", 5000],
    ["3 min", 180_000],
    ["2 hours", 7_200_000],
    [250, 250],
    ["250", 250],
    ["1d", 86_400_000],
    ["1.5 s", 1500],
  ];
  for (const [value, ms] of durations) assert.equal(reads(OPTIONS.cancellationTimeout, value), ms);
  assert.equal(reads(OPTIONS.parallelism, " 8 "), 8);
  assert.equal(reads(OPTIONS.managedFraction, "0.25"), 0.25);
  assert.equal(reads(OPTIONS.operatorChaining, "false"), false);
});

test("what is shown can be read back as the same value", () => {
  const durations = fc.integer({ min: 10, max: 10 ** 9 });
  fc.assert(
    fc.property(fc.nat(2 ** 40), durations, fc.double({ min: 0, max: 1, noNaN: true }), (bytes, ms, fraction) => {
      const configuration = configured({
        "taskmanager.memory.process.size": bytes,
        "millrace.task.watchdog-timeout": ms,
        "taskmanager.memory.managed.fraction": fraction,
      });
      const shown = configShow(configuration).filter((row) => row.value !== null);
      const again = configured(Object.fromEntries(shown.map((row) => [row.key, row.value])));
      for (const option of Object.values(OPTIONS) as Option<unknown>[]) {
        assert.equal(again.get(option), configuration.get(option), option.key);
      }
    }),
  );
});

test("a key written twice in one layer is refused", () => {
  refused("CONFIG_DUPLICATE_KEY", { "parallelism.default": 1, parallelism: { default: 2 } });
});

test("environment variables are found by their name, and unknown ones are refused", () => {
  const layers = environmentLayers({
    MILLRACE_TASKMANAGER_NUMBEROFTASKSLOTS: "4",
    MILLRACE_TASK_WATCHDOG_TIMEOUT: "5s",
    PATH: "/bin",
    MILLRACE_PARALLELISM_DEFAULT: undefined,
  });
  const configuration = new Configuration(layers);
  assert.equal(configuration.get(OPTIONS.numberOfTaskSlots), 4);
  assert.equal(configuration.get(OPTIONS.watchdogTimeout), 5000);
  const origin = originText(configuration.origin(OPTIONS.numberOfTaskSlots));
  assert.equal(origin, "environment MILLRACE_TASKMANAGER_NUMBEROFTASKSLOTS");
  assert.throws(
    () => environmentLayers({ MILLRACE_PARALELISM_DEFAULT: "4" }),
    (error: EngineError) =>
      error.code === "CONFIG_UNKNOWN_KEY" && error.fix === "did you mean MILLRACE_PARALLELISM_DEFAULT?",
  );
  assert.throws(
    () => environmentLayers({ MILLRACE_EXECUTION_CHECKPOINTING_UNALIGNED_ENABLED: "true" }),
    (error: EngineError) => error.code === "CONFIG_UNKNOWN_KEY" && /buffer-debloat/.test(error.fix ?? ""),
  );
});

test("the listing has every option with value, origin and default", () => {
  const rows = configShow(configured(defineConfig({ "taskmanager.memory.process.size": "4096mb" })));
  assert.equal(rows.length, Object.keys(OPTIONS).length);
  assert.deepEqual(
    rows.find((row) => row.key === "taskmanager.memory.process.size"),
    { key: "taskmanager.memory.process.size", value: "4gb", origin: "file millrace.config.json", default: null },
  );
  assert.deepEqual(
    rows.find((row) => row.key === "task.cancellation.timeout"),
    { key: "task.cancellation.timeout", value: "3min", origin: "default", default: "3min" },
  );
});

test("the listing's default is the one that holds here, whoever sets another value", () => {
  const here: ConfigLayer = { origin: { kind: "default", from: "cores" }, values: { "parallelism.default": 7 } };
  const row = (...layers: readonly ConfigLayer[]) =>
    configShow(new Configuration(layers)).find(({ key }) => key === "parallelism.default");
  const byDefault = { key: "parallelism.default", value: "7", origin: "default: cores", default: "7" };
  assert.deepEqual(row(here), byDefault);
  const set: ConfigLayer = { origin: { kind: "command line" }, values: { "parallelism.default": 3 } };
  assert.deepEqual(row(here, set), { ...byDefault, value: "3", origin: "command line" });
});

test("values of keys that name a secret are masked", () => {
  for (const key of ["rest.auth.token", "millrace.s3.secret-key", "kafka.password", "x.api-key"]) {
    assert.equal(secretMask(key, "hunter2"), "******");
  }
  assert.equal(secretMask("parallelism.default", "4"), "4");
});
