// Which function of the user allocates what this thread's heap comes to hold. Slows the thread down: it is asked once
// the slot is over its budget.

import { type HeapProfiler, Session } from "node:inspector";
import { userFrame } from "../../api/checks/call-site.ts";
import type { SourceLocation } from "../../base/errors.ts";
import type { AllocationSite } from "./heap-guard.ts";

/** Bytes from one sample to the next, on average. */
const SAMPLE_BYTES = 32 * 1024;

type Site = { readonly stack: string; bytes: number };

export class AllocationSample {
  readonly #session = new Session();

  start(): void {
    const session = this.#session;
    session.connect();
    session.post("Profiler.enable");
    // Coverage keeps functions from being inlined; the stacks of samples do not show those that are.
    session.post("Profiler.startPreciseCoverage", { callCount: false, detailed: false });
    session.post("HeapProfiler.startSampling", { samplingInterval: SAMPLE_BYTES });
  }

  /**
   * The function that allocated most of what is still held: its stack, innermost frame first, each frame with the place
   * where its function begins; null when nothing of it comes from user code.
   */
  stop(): AllocationSite | null {
    let site: AllocationSite | null = null;
    this.#session.post("HeapProfiler.stopSampling", (error, { profile }) => {
      if (error === null) site = largestSite(profile.head);
    });
    this.#session.disconnect();
    return site;
  }
}

function largestSite(head: HeapProfiler.SamplingHeapProfileNode): AllocationSite | null {
  const sites = new Map<string, Site>();
  addSites(head, "", sites);
  const [largest] = [...sites.values()].sort((left, right) => right.bytes - left.bytes);
  return largest ?? null;
}

/** Adds up what was allocated by the place in user code that led to it. `outer`: the frames above. */
function addSites(node: HeapProfiler.SamplingHeapProfileNode, outer: string, sites: Map<string, Site>): void {
  const { functionName, url, lineNumber, columnNumber } = node.callFrame;
  const place = `${url}:${lineNumber + 1}:${columnNumber + 1}`;
  const stack = url === "" ? outer : `    at ${functionName === "" ? place : `${functionName} (${place})`}\n${outer}`;
  const frame = node.selfSize === 0 ? null : userFrame(stack);
  if (frame !== null) {
    const site = sites.get(placeKey(frame)) ?? { stack, bytes: 0 };
    site.bytes += node.selfSize;
    sites.set(placeKey(frame), site);
  }
  for (const child of node.children) addSites(child, stack, sites);
}

const placeKey = ({ file, line, column }: SourceLocation): string => `${file}:${line}:${column}`;
