// An owner of pages for tests of what needs one: the only subtask of an operator.

import type { MemoryOwner } from "../pages/memory-owner.ts";
import type { PageAllocator } from "../pages/page-allocator.ts";

export function testOwner(allocator: PageAllocator, operator = "op"): MemoryOwner {
  return allocator.openOwner({ job: "job", operator, subtask: 0, parallelism: 1 });
}
