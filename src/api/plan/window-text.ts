// Windows in words, for uids and `explain`.

import { durationText } from "../../base/duration.ts";
import type { WindowSpec } from "../../operators/windows/time/window-spec.ts";

export function windowText(window: WindowSpec): string {
  if (window.kind === "session") return `session(${durationText(window.gapMs)})`;
  const size = durationText(window.sizeMs);
  const slide = window.kind === "sliding" ? `,${durationText(window.slideMs)}` : "";
  const offset = window.offsetMs === 0 ? "" : `,offset=${durationText(window.offsetMs)}`;
  const zone = window.zone === null ? "" : `,zone=${window.zone}`;
  return `${window.kind}(${size}${slide}${offset}${zone})`;
}
