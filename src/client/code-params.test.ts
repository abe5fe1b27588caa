import assert from "node:assert/strict";
import { test } from "node:test";
import { paramsText } from "./code-params.ts";

test("parameters from code are the texts that a command line would give; those that are undefined are not given", () => {
  assert.deepEqual(paramsText({ count: 5, name: "x", on: false, left: undefined }), {
    count: "5",
    name: "x",
    on: "false",
  });
  assert.deepEqual(paramsText(), {});
});
