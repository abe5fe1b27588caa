// The window operator for a window.

import type { Operator } from "../operator.ts";
import { PaneWindowOperator, type WindowOperatorOptions } from "./pane-window-operator.ts";
import { SessionWindowOperator } from "./session-window-operator.ts";
import type { WindowSpec } from "./window-spec.ts";

export function windowOperator(
  options: Omit<WindowOperatorOptions, "window"> & { readonly window: WindowSpec },
): Operator {
  const { window } = options;
  return window.kind === "session"
    ? new SessionWindowOperator({ ...options, window })
    : new PaneWindowOperator({ ...options, window });
}
