// One contiguous region of shared memory. The operating system commits a page when it is first written, so a region
// costs address space when it is made and real memory only as it is used; it gives nothing back before the whole region
// is dropped.

import { UserError } from "../base/errors.ts";
import { memorySizeText } from "../base/memory-size.ts";

/** Throws MEMORY_REGION_REFUSED, naming the key, when the operating system or V8 has no room for `size` bytes. */
export function memoryRegionCreate(size: number, configKey: string): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(size);
  } catch (cause) {
    throw new UserError("MEMORY_REGION_REFUSED", `no address space for ${memorySizeText(size)} of shared memory`, {
      fix: `lower ${configKey}, or raise the limit on the address space of the process (ulimit -v)`,
      cause,
    });
  }
}
