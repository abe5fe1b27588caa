// What calls on streams give, stage by stage: calling a method of another stage is an error that says where it belongs.

import { refuseMisplaced } from "./checks/misplaced-call.ts";
import { SinkHandle } from "./sink-handle.ts";
import { Connected, InOrder, InOrderConnected, Keyed, Stream, Windowed } from "./stream.ts";

/** Names of all methods of the fluent API. */
export const METHODS = refuseMisplaced([
  {
    type: Stream,
    what: "a stream without a key",
    fix: (method) => `key it first: .keyBy("…")${method === "allowLate" ? ".window(…)" : ""}.${method}(…)`,
  },
  {
    type: Keyed,
    what: "a keyed stream",
    fix: (method) =>
      method === "allowLate"
        ? "say which windows first: .window(…).allowLate(…)"
        : `call .${method} before keyBy, or on what .aggregate({ … }), .reduce("…", f) or .process({ … }) gives`,
  },
  {
    type: InOrder,
    what: "a keyed stream in event-time order",
    fix: (method) =>
      method === "window" || method === "allowLate"
        ? "leave .inOrder() out: windows take records in any order"
        : method === "connect"
          ? "connect first: a.keyBy(…).connect(b.keyBy(…)).inOrder()"
          : `call .${method} before keyBy, or on what .inOrder().process({ … }) gives`,
  },
  {
    type: Windowed,
    what: "a stream in windows",
    fix: (method) => `call .${method} before window, or on what .window(…).aggregate({ … }) gives`,
  },
  {
    type: Connected,
    what: "a pair of connected streams",
    fix: (method) => `call .${method} before connect, or on what .connect(…).process({ … }) gives`,
  },
  {
    type: InOrderConnected,
    what: "a pair of connected streams in event-time order",
    fix: (method) => `call .${method} before connect, or on what .inOrder().process({ … }) gives`,
  },
  {
    type: SinkHandle,
    what: "a sink",
    fix: (method) => `.to(…) ends a stream: keep the stream itself in a variable, and call .${method} on that`,
  },
]);
