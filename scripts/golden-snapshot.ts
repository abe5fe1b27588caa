// Makes the golden snapshot of the format as it is written now: `test/golden/snapshot-<version>/`, with the rows that
// it holds. What is there of a version is never made anew: old snapshots are to be read as they were written.
//
//   node --conditions=millrace-source scripts/golden-snapshot.ts

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { METADATA_VERSION, metadataBytes, metadataOf } from "../src/checkpoint/format/metadata.ts";
import { type Files, goldenRun, rowsIn } from "../test/golden/golden-run.ts";
import { ROOT } from "../test/tidy/repo-files.ts";

const directory = join(ROOT, "test/golden", `snapshot-${METADATA_VERSION}`);
if (existsSync(directory)) throw new Error(`${directory} is there: the version of the format has not changed`);
const { files } = await goldenRun();
const golden: Files = new Map([...files].map(([path, bytes]) => [path, withoutPlaces(path, bytes)]));
for (const [path, bytes] of golden) {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), bytes);
}
writeFileSync(join(directory, "rows.jsonl"), `${(await rowsIn(golden)).join("\n")}\n`);

/** Where the job was declared is of this machine. */
function withoutPlaces(path: string, bytes: Uint8Array): Uint8Array {
  if (!path.endsWith("_metadata")) return bytes;
  const metadata = metadataOf(path, Buffer.from(bytes));
  return metadataBytes({
    ...metadata,
    planText: JSON.stringify({ ...JSON.parse(metadata.planText), locations: {} }),
  });
}
