// The window operator for a window.

import type { Operator } from "../operator.ts";
import { PaneWindowOperator, type WindowOperatorOptions } from "./panes/pane-window-operator.ts";
import { SessionWindowOperator } from "./sessions/session-window-operator.ts";
import type { WindowSpec } from "./time/window-spec.ts";

export function windowOperator(
  options: Omit<WindowOperatorOptions, "window"> & { readonly window: WindowSpec },
): Operator {
  const { window } = options;
  return window.kind === "session"
    ? new SessionWindowOperator({ ...options, window })
    : new PaneWindowOperator({ ...options, window });
}
