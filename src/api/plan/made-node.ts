// What a call on a stream makes: a node of the plan, and what the streams behind it are made of. Untyped.

import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { PlanNode } from "./plan-node.ts";
import type { StreamOrigin } from "./stream-origin.ts";

export type SideTypes = Readonly<Record<string, TypeSpec | null>>;

export type MadeNode = {
  readonly node: PlanNode;
  readonly type: TypeSpec | null;
  readonly sides: SideTypes;
  /** Of the stream that the operator was called on, with event times if it gives them. */
  readonly origin: StreamOrigin;
};
