import assert from "node:assert/strict";
import { stripTypeScriptTypes } from "node:module";
import { test } from "node:test";
import { repoSources } from "./repo-files.ts";
import { importsOf, sourceText } from "./source-text.ts";

function codeOf(text: string): string {
  return sourceText("x.ts", text).code;
}

test("comments, strings, templates and regular expressions are blanked, the code around them stays", () => {
  assert.equal(codeOf('a("b\\"c"); // d'), 'a("    ");     ');
  assert.equal(codeOf("a /* b\nc */ + 'd'"), "a     \n     + ' '");
  assert.equal(codeOf("`a${b(`c${d}`)}e`"), "` ${b(` ${d}`)} `");
  assert.equal(codeOf('x = /[/"]\\//g.test(y) && a / b / c;'), "x = /      /g.test(y) && a / b / c;");
  assert.equal(codeOf("return /a'b/;"), "return /   /;");
  assert.equal(codeOf("`\\`${{ a: 1 }.a}`"), "`  ${{ a: 1 }.a}`");
});

test("strings and comments are found where they stand", () => {
  const source = sourceText("x.ts", "f('a', \"b\"); // `c`");
  assert.deepEqual(
    [...source.strings],
    [
      [2, "a"],
      [7, "b"],
    ],
  );
  assert.deepEqual(source.comments, [{ offset: 13, text: "// `c`" }]);
});

test("every form of import is found, and nothing that only looks like one", () => {
  const text = `
    import a from "./a.ts";
    import type { B } from './b.ts';
    import "./c.ts";
    export * from "./d.ts";
    export type { E } from "./e.ts";
    const f = await import("./f.ts");
    type G = import("./g.ts").G;
    new Worker(new URL("./h.ts", import.meta.url));
    import.meta.resolve("./i.ts");
    import {
      j,
    } from "./j.ts";
    // import k from "./k.ts";
    const l = 'import l from "./l.ts"';
    const m = { from: "./m.ts" };
    Array.from("./n.ts");
    new URL("./o.ts", base);
  `;
  const specifiers = importsOf(sourceText("x.ts", text)).map(({ specifier }) => specifier);
  assert.deepEqual(
    specifiers,
    [..."abcdefghij"].map((name) => `./${name}.ts`),
  );
  assert.equal(importsOf(sourceText("x.ts", text)).at(-1)?.line, 13);
});

test("S1: what is left of every source is as long as the source and still valid TypeScript", () => {
  for (const source of repoSources(/\.ts$/)) {
    assert.equal(source.code.length, source.text.length, source.path);
    assert.doesNotThrow(() => stripTypeScriptTypes(source.code), source.path);
  }
});
