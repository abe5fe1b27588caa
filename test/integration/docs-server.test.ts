// The server of docs/client.md, with jobs that fail after they have been started: whoever asked hears of it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { pageSamples } from "./docs-samples.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const { files } = pageSamples("client.md", readFileSync(join(ROOT, "docs/client.md"), "utf8"));

// Inside the repository, so that "millrace" is the checkout.
mkdirSync(join(ROOT, "out"), { recursive: true });
const scratch = mkdtempSync(join(ROOT, "out/server-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** The server's address, with a job that fails at one of its rows. */
async function served(failsAt: number): Promise<string> {
  const folder = join(scratch, String(failsAt));
  mkdirSync(folder);
  writeFileSync(join(folder, "server.ts"), files.find(({ name }) => name === "server.ts")!.text);
  const job = `import { generate, job, rows, t } from "millrace";
const Row = t.struct({ n: t.f64, text: t.string });
export default job({ name: "failing", params: t.struct({ clicks: t.f64 }) }, (env, { clicks }) =>
  env
    .from("clicks", generate(clicks, (n) => ({ n, text: "x".repeat(1_000) }), { type: Row }))
    .map(Row, (row) => {
      if (row.n === ${failsAt}) throw new Error("no such click");
      return row;
    })
    .to("minutes", rows()),
);
`;
  writeFileSync(join(folder, "clicks.job.ts"), job);
  const { server } = (await import(pathToFileURL(join(folder, "server.ts")).href)) as { server: Server };
  after(() => server.close());
  await once(server.listen(0), "listening");
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

test("a job that fails before it gives a row is answered with its error", async () => {
  const response = await fetch(`${await served(0)}/?clicks=1`);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /no such click/);
});

test("a job that fails behind rows that have gone out breaks the answer off", async () => {
  // More than what lies between the two: some have gone out.
  const response = await fetch(`${await served(20_000)}/?clicks=20001`);
  assert.equal(response.status, 200);
  await assert.rejects(response.text(), { name: "TypeError" });
});

test("who leaves cancels the job: nothing of it keeps the program up", async () => {
  const leaving = new AbortController();
  const response = await fetch(`${await served(-1)}/?clicks=1000000`, { signal: leaving.signal });
  leaving.abort();
  await assert.rejects(response.text(), { name: "AbortError" });
});
