// The managed store: declared state as rows in managed memory.

import { keyCodec } from "../../types/keys/key-bytes.ts";
import { CurrentKey } from "../keys/current-key.ts";
import { KeyedStore, type KeyedStoreOptions } from "../store/keyed-store.ts";
import { ManagedList } from "./managed-list.ts";
import { ManagedMap } from "./managed-map.ts";
import { ManagedValue } from "./managed-value.ts";

export function managedStore(options: KeyedStoreOptions): KeyedStore {
  const current = new CurrentKey(keyCodec(options.key), options.maxParallelism, options.keyGroups);
  const cellOptions = { ...options, current };
  return new KeyedStore(options, current, {
    kind: "managed",
    value: (spec, type) => new ManagedValue(spec, type, cellOptions),
    list: (spec) => new ManagedList(spec, cellOptions),
    map: (spec) => new ManagedMap(spec, cellOptions),
  });
}
