// Commits what file writers have prepared, by its names alone.

import type { Disk } from "../../../base/disk.ts";
import type { SinkCommitter } from "../../../operators/sink.ts";
import { type FileCommit, fileCommit } from "./file-target.ts";
import { type SingleCommit, singleCommit } from "./single-file.ts";

export function fileCommitter(disk: Disk): SinkCommitter {
  return {
    async commit(committables) {
      for (const committable of committables as readonly (FileCommit | SingleCommit)[]) {
        if ("kind" in committable) await singleCommit(disk, committable);
        else await fileCommit(disk, committable);
      }
    },
    async discard(committables) {
      for (const { directory, files } of committables as readonly (FileCommit | SingleCommit)[]) {
        for (const { from } of files) await disk.remove(`${directory}/${from}`);
      }
    },
  };
}
