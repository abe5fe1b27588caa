import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { SessionTiming } from "./session.ts";

export function sessionTiming(configuration: Configuration): SessionTiming {
  return {
    heartbeatIntervalMs: configuration.get(OPTIONS.heartbeatInterval),
    heartbeatTimeoutMs: configuration.get(OPTIONS.heartbeatTimeout),
  };
}
