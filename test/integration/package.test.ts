// What users get: the packed package, installed into an empty folder.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../..");
const NODE_MAJOR_MIN = 24;
/** Pages about work on Millrace: they lead to its sources. */
const FOR_A_CLONE = ["docs/BENCHMARKS.md", "docs/STYLE.md"];

describe("the package", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-package-"));
  let files: readonly string[] = [];
  let installed: Record<string, Record<string, string>> = {};

  before(() => {
    const packed = JSON.parse(npm(ROOT, "pack", "--json", "--pack-destination", folder)) as {
      filename: string;
      files: { path: string }[];
    }[];
    const [tarball] = packed;
    assert.ok(tarball);
    files = tarball.files.map(({ path }) => path);
    writeFileSync(join(folder, "package.json"), '{ "name": "empty", "private": true, "type": "module" }');
    npm(folder, "install", "--ignore-scripts", "--prefer-offline", join(folder, tarball.filename));
    installed = JSON.parse(readFileSync(join(folder, "node_modules/millrace/package.json"), "utf8"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("holds what is compiled and what is for reading, and nothing else: no sources, no tests", () => {
    const compiled = "bin/millrace\\.js|dist/.*(\\.js|\\.d\\.ts)|package\\.json";
    const allowed = new RegExp(
      `^(${compiled}|docs/.*\\.md|examples/.*/job\\.ts|templates/.*|LICENSE|README\\.md|CONTRIBUTING\\.md)$`,
    );
    assert.deepEqual(
      files.filter((file) => !allowed.test(file) || /^(?!templates\/).*\.(test|contract|types|bench)\./.test(file)),
      [],
    );
    for (const file of ["LICENSE", "README.md", "bin/millrace.js", "dist/index.js", "dist/index.d.ts"]) {
      assert.ok(files.includes(file), file);
    }
  });

  test("every relative link of its README and of the pages for users leads to a file in it", () => {
    const packed = join(folder, "node_modules/millrace");
    const pages = files.filter((file) => file.endsWith(".md") && !FOR_A_CLONE.includes(file));
    assert.ok(pages.includes("README.md") && pages.includes("docs/cli.md"));
    const links = pages.flatMap((page) => {
      const text = readFileSync(join(packed, page), "utf8").replaceAll(/^```[\s\S]*?^```/gm, "");
      return [...text.matchAll(/\]\(([^)\s#:]+)(?:#[^)\s]*)?\)/g)].map(([, link = ""]) => ({ page, link }));
    });
    assert.ok(links.some(({ page }) => page === "README.md"));
    assert.deepEqual(
      links.filter(({ page, link }) => !existsSync(join(packed, dirname(page), link))),
      [],
    );
  });

  test("runs no script when it is installed", () => {
    const scripts = Object.keys(installed.scripts ?? {});
    assert.deepEqual(
      scripts.filter((name) => /^(pre|post)?(install|prepare)$|^prepublish$/.test(name)),
      [],
    );
  });

  test("each of its subpaths can be imported, values and types", () => {
    const subpaths = subpathsBuilt();
    assert.ok(subpaths.length > 0);
    for (const [index, subpath] of subpaths.entries()) {
      const module = `import * as m${index} from ${JSON.stringify(subpath)};\n`;
      writeFileSync(
        join(folder, "values.js"),
        `${module}if (Object.keys(m${index}).length === 0) throw new Error("empty");`,
      );
      execFileSync(process.execPath, ["values.js"], { cwd: folder });
    }
    const imports = subpaths.map((subpath, index) => `import type * as m${index} from ${JSON.stringify(subpath)};`);
    const typed = `
      import { type Duration, UserError } from "millrace";
      export const domain: "user" = new UserError("CODE", "message").domain;
      // @ts-expect-error the types are there and say that this is none
      export const wrong: Duration = "5 parsecs";
      export type All = [${subpaths.map((_, index) => `typeof m${index}`).join(", ")}];`;
    writeFileSync(join(folder, "types.ts"), `${imports.join("\n")}\n${typed}`);
    compile("--noEmit", "types.ts");
  });

  test("a library of jobs' parts compiles with declarations that others can compile against", () => {
    cpSync(join(ROOT, "test/integration/fixtures/library/library.ts"), join(folder, "library.ts"));
    compile("--declaration", "--outDir", "lib", "library.ts");
    writeFileSync(
      join(folder, "user.ts"),
      `import { job, print } from "millrace";
      import { alarms, bars, type Order } from "./lib/library.js";
      export const id: Order["id"] = 1n;
      export default job({ name: "user" }, (env) => {
        alarms(env).side.odd.map((text) => text.length).to("odd", print());
        bars(env).map(({ country, total }) => country === "SE" && total.toFixed()).to("bars", print());
        // @ts-expect-error the types are still there: there is no such result
        bars(env).map(({ amount }) => amount).to("amounts", print());
      });`,
    );
    compile("--noEmit", "user.ts");
  });

  test("its command answers --version and --help", () => {
    const version = npm(folder, "exec", "--offline", "--", "millrace", "--version");
    assert.equal(version.trim(), JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version);
    const help = npm(folder, "exec", "--offline", "--", "millrace", "--help");
    const [, docs = ""] = /^docs {5}(.+)$/m.exec(help) ?? [];
    assert.equal(docs, "node_modules/millrace/docs/cli.md");
    assert.ok(existsSync(join(folder, docs)));
  });

  test("its command runs a job, in slot threads and in one thread", () => {
    writeFileSync(join(folder, "in.csv"), "n,name\n1,a\n2,b\n3,c\n");
    writeFileSync(
      join(folder, "job.ts"),
      `import { job } from "millrace";
      import { csv, jsonl } from "millrace/connectors/files";
      export default job({ name: "from-the-package" }, (env) => {
        env.from("in", csv("in.csv")).filter((row) => Number(row.n) > 1).to("out", jsonl("out"));
      });`,
    );
    for (const flags of [[], ["--local"]]) {
      npm(folder, "exec", "--offline", "--", "millrace", "run", "job.ts", ...flags);
      const parts = readdirSync(join(folder, "out")).map((part) => readFileSync(join(folder, "out", part), "utf8"));
      const names = [...parts.join("").matchAll(/"name":"(\w)"/g)].map(([, name]) => name);
      assert.deepEqual(names.sort(), ["b", "c"]);
      rmSync(join(folder, "out"), { recursive: true });
    }
  });

  test("a program, compiled or in CommonJS, starts a compiled job or one that is not, and reads its rows", () => {
    writeFileSync(
      join(folder, "rows.job.ts"),
      `import { collection, job, rows } from "millrace";
      export default job({ name: "rows" }, (env) =>
        env.from("in", collection([1, 2, 3])).map((n) => ({ n, half: n / 2 })).to("out", rows()));`,
    );
    const program = (file: string) => `(async () => {
      const running = await start(${file}, { parallelism: 1 });
      const read = [];
      for await (const { n, half } of running.rows("out")) read.push(n + half);
      console.log(read.join(), (await running.result).outcome);
    })();`;
    writeFileSync(
      join(folder, "host.ts"),
      `import { start as begin } from "millrace/client";
      import type job from "./rows.job.js";
      const start = begin<typeof job>;
      ${program('new URL("./rows.job.js", import.meta.url)')}`,
    );
    compile("--outDir", "compiled", "rows.job.ts", "host.ts");
    writeFileSync(
      join(folder, "host.cjs"),
      `const { start } = require("millrace/client");
      ${program('require("node:path").join(__dirname, "rows.job.ts")')}`,
    );
    for (const host of ["compiled/host.js", "host.cjs"]) {
      const run = spawnSync(process.execPath, [host], { cwd: folder, encoding: "utf8" });
      assert.deepEqual([run.stdout, run.stderr, run.status], ["1.5,3,4.5 finished\n", "", 0], host);
    }
  });

  test("its command makes projects that depend on the package that it is of, run, and pass their tests", () => {
    for (const template of readdirSync(join(ROOT, "templates"), { withFileTypes: true })) {
      if (!template.isDirectory()) continue;
      const project = join(folder, template.name);
      npm(folder, "exec", "--offline", "--", "millrace", "init", template.name, "--template", template.name);
      const { dependencies } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
      assert.match(dependencies.millrace, /^file:\.\.\/millrace-.*\.tgz$/);
      assert.ok(existsSync(resolve(project, dependencies.millrace.slice("file:".length))));
      npm(project, "exec", "--offline", "--", "millrace", "run", "job.ts");
      npm(project, "test");
    }
  });

  test("its command says on an older Node which version it needs", (t) => {
    const oldNode = oldNodeOf(process.env.PATH ?? "");
    if (oldNode === null) return t.skip(`no Node older than ${NODE_MAJOR_MIN} on the PATH`);
    const run = spawnSync(oldNode, [join(folder, "node_modules/millrace/bin/millrace.js")], { encoding: "utf8" });
    assert.equal(run.status, 2);
    assert.equal(run.stdout, "");
    assert.match(run.stderr, /^✗ MILLRACE_NODE_VERSION {2}millrace needs Node 24 or newer; this is Node \d/);
    assert.match(run.stderr, /npm install --save-dev node@24/);
  });

  function compile(...args: readonly string[]): void {
    const settings = ["--strict", "--module", "nodenext", "--target", "esnext", "--skipLibCheck"];
    const compiler = spawnSync(join(ROOT, "node_modules/.bin/tsc"), [...settings, ...args], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(compiler.stdout, "");
    assert.equal(compiler.status, 0);
  }

  /** Subpaths of `exports`, the pattern of the connectors written out. */
  function subpathsBuilt(): readonly string[] {
    return Object.keys(installed.exports ?? {})
      .filter((subpath) => subpath !== "./package.json")
      .flatMap((subpath) =>
        subpath.endsWith("*") ? connectors().map((name) => subpath.replace("*", name)) : [subpath],
      )
      .map((subpath) => `millrace${subpath.slice(1)}`);
  }

  function connectors(): readonly string[] {
    const built = join(folder, "node_modules/millrace/dist/connectors");
    return readdirSync(built).filter((name) => existsSync(join(built, name, "index.js")));
  }
});

function npm(cwd: string, ...args: readonly string[]): string {
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const run = spawnSync("npm", args, { cwd, encoding: "utf8", env: { ...process.env, PATH: path } });
  assert.equal(run.status, 0, `npm ${args.join(" ")}\n${run.stdout}${run.stderr}`);
  return run.stdout;
}

function oldNodeOf(path: string): string | null {
  for (const folder of path.split(delimiter)) {
    const node = join(folder, "node");
    if (!existsSync(node)) continue;
    const version = execFileSync(node, ["--version"], { encoding: "utf8" });
    if (Number(/^v(\d+)/.exec(version)?.[1]) < NODE_MAJOR_MIN) return node;
  }
  return null;
}
