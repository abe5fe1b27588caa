// The lock file serves every machine: it names no registry, and it lists the packages of all platforms. One that was
// written where some of them could not be had lacks them, and `npm ci` then refuses it everywhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { repoText } from "./repo-files.ts";

type LockedPackage = {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

const LOCKED = Object.entries((JSON.parse(repoText("package-lock.json")) as { packages: object }).packages) as [
  string,
  LockedPackage,
][];

test("the lock file names no registry", () => {
  assert.ok(LOCKED.length > 1, "the lock file lists nothing");
  assert.deepEqual(
    LOCKED.filter(([, { resolved }]) => resolved !== undefined),
    [],
  );
});

test("the lock file lists the packages of every platform", () => {
  const listed = new Set(
    LOCKED.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)),
  );
  const wanted = LOCKED.flatMap(([, { optionalDependencies = {} }]) => Object.entries(optionalDependencies));
  assert.ok(wanted.length > 0, "no package has one for each platform");
  assert.deepEqual(
    wanted.filter(([name]) => !listed.has(name)),
    [],
    "copy the entry of another platform's package and change version, os, cpu and libc; leave integrity out",
  );
});
