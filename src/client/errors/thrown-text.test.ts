import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { readText, thrownText } from "./thrown-text.ts";

const throws = (): never => {
  throw new Error("unreadable");
};

test("whatever was thrown has a text", () => {
  assert.equal(thrownText(new RangeError("five")), "RangeError: five");
  assert.equal(thrownText({ status: 404 }), "{ status: 404 }");
  assert.equal(thrownText(Object.create(null)), "[Object: null prototype] {}");
  assert.equal(thrownText(undefined), "undefined");
});

test("what cannot be read does no harm", () => {
  const error = Object.defineProperty(new Error(), "message", { get: throws });
  assert.equal(thrownText(error), "Error: (an error was thrown whose text cannot be read)");
  assert.equal(thrownText({ [inspect.custom]: throws }), "a value that cannot be read");
  assert.equal(readText(throws), null);
  assert.equal(
    readText(() => 5),
    null,
  );
});
