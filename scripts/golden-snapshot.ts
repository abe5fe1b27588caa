// Makes the golden snapshots of the format as it is written now: `test/golden/snapshot-<version>/`, and one whose keyed
// state was written by pages, with the rows that they hold. What is there of a version is never made anew: old
// snapshots are to be read as they were written.
//
//   node --conditions=millrace-source scripts/golden-snapshot.ts

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { METADATA_VERSION, metadataBytes, metadataOf } from "../src/checkpoint/format/metadata.ts";
import { type Files, type GoldenOptions, goldenRun, rowsIn } from "../test/golden/golden-run.ts";
import { ROOT } from "../test/tidy/repo-files.ts";

const made = [
  await write(`snapshot-${METADATA_VERSION}`, {}),
  await write(`snapshot-${METADATA_VERSION}-pages`, {
    "execution.checkpointing.pages-threshold": "0b",
    "execution.checkpointing.snapshot-compression": true,
  }),
];
if (!made.includes(true)) throw new Error("all are there: the version of the format has not changed");

/** False: it is there. */
async function write(name: string, config: GoldenOptions["config"]): Promise<boolean> {
  const directory = join(ROOT, "test/golden", name);
  if (existsSync(directory)) return false;
  const { files } = await goldenRun({ config });
  const golden: Files = new Map([...files].map(([path, bytes]) => [path, withoutPlaces(path, bytes)]));
  for (const [path, bytes] of golden) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  }
  writeFileSync(join(directory, "rows.jsonl"), `${(await rowsIn(golden)).join("\n")}\n`);
  return true;
}

/** Where the job was declared is of this machine. */
function withoutPlaces(path: string, bytes: Uint8Array): Uint8Array {
  if (!path.endsWith("_metadata")) return bytes;
  const metadata = metadataOf(path, Buffer.from(bytes));
  return metadataBytes({
    ...metadata,
    planText: JSON.stringify({ ...JSON.parse(metadata.planText), locations: {} }),
  });
}
