import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { environmentName } from "./flink-keys.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";

const ALL = Object.values(OPTIONS) as Option<unknown>[];
const REFERENCE = new URL("../../docs/configuration.md", import.meta.url);
const START = "<!-- options: generated from src/config/options.ts -->";
const END = "<!-- end of options -->";

test("keys are unique, and none is the section of another, so that nested objects have one meaning", () => {
  const keys = ALL.map((option) => option.key);
  assert.equal(new Set(keys).size, keys.length);
  for (const key of keys) assert.ok(!keys.some((other) => other.startsWith(`${key}.`)), key);
});

test("no two keys share an environment variable", () => {
  assert.equal(new Set(ALL.map((option) => environmentName(option.key))).size, ALL.length);
});

test("every option is documented in full sentences", () => {
  for (const { key, doc } of ALL) assert.match(doc, /^[A-Z].*\.$/, key);
});

test("docs/configuration.md lists the options as they are (UPDATE_DOCS=1 writes it)", () => {
  const rows = ALL.map(({ key, type, default: value, doc }) => {
    const shown = value === null || value === undefined ? "" : `\`${type.format(value)}\``;
    return `| \`${key}\` | ${type.name.replaceAll("|", "\\|")} | ${shown} | ${doc} |`;
  });
  const table = [START, "", "| Key | Type | Default | What it does |", "|---|---|---|---|", ...rows, "", END].join(
    "\n",
  );
  const page = readFileSync(REFERENCE, "utf8");
  assert.ok(page.includes(START) && page.includes(END));
  const updated = page.slice(0, page.indexOf(START)) + table + page.slice(page.indexOf(END) + END.length);
  if (process.env.UPDATE_DOCS === "1") writeFileSync(REFERENCE, updated);
  else assert.equal(page, updated);
});
