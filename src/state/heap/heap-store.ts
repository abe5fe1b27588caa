// The heap store: declared state as JavaScript values in maps per key group. Timers and tables lie in managed memory
// all the same.

import { keyCodec } from "../../types/keys/key-bytes.ts";
import { CurrentKey } from "../keys/current-key.ts";
import { KeyedStore, type KeyedStoreOptions } from "../store/keyed-store.ts";
import { HeapList } from "./heap-list.ts";
import { HeapMap } from "./heap-map.ts";
import { HeapValue } from "./heap-value.ts";

export function heapStore(options: KeyedStoreOptions): KeyedStore {
  const { owner, keyGroups, clock, heapBudget } = options;
  const current = new CurrentKey(keyCodec(options.key), options.maxParallelism, keyGroups);
  const cellOptions = { operator: owner.operator, keyGroups, clock, current, heapBudget };
  return new KeyedStore(options, current, {
    kind: "heap",
    value: (spec, type) => new HeapValue(spec, type, cellOptions),
    list: (spec) => new HeapList(spec, cellOptions),
    map: (spec) => new HeapMap(spec, cellOptions),
  });
}
