// What package.json promises exists, and each promise of a compiled file has the source it is compiled from.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, repoFiles, repoText } from "./repo-files.ts";

type Manifest = {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
};

const MANIFEST = JSON.parse(repoText("package.json")) as Manifest;
/** What npm runs on the machine of whoever installs the package. */
const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

test("every published subpath has its source, and compiles to the files it names", () => {
  const subpaths = Object.entries(MANIFEST.exports).filter(([, target]) => typeof target !== "string");
  assert.ok(subpaths.length > 0, "package.json exports nothing");
  for (const [subpath, target] of subpaths) {
    const { "millrace-source": source = "", types, default: compiled } = target as Record<string, string>;
    assert.deepEqual(
      { types, compiled },
      {
        types: source.replace("./src/", "./dist/").replace(/\.ts$/, ".d.ts"),
        compiled: source.replace("./src/", "./dist/").replace(/\.ts$/, ".js"),
      },
      subpath,
    );
    const pattern = source.replace("./", "").replaceAll(".", "\\.").replace("*", "[^/]+");
    assert.ok(repoFiles(new RegExp(`^${pattern}$`)).length > 0, subpath);
  }
});

test("the commands exist, and installing runs no script", () => {
  assert.deepEqual(Object.keys(MANIFEST.bin), ["millrace"]);
  for (const file of Object.values(MANIFEST.bin)) assert.ok(existsSync(join(ROOT, file)), file);
  assert.deepEqual(
    INSTALL_SCRIPTS.filter((name) => name in MANIFEST.scripts),
    [],
  );
});
