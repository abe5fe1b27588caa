// Uids of operators to which the user gave none.
//
// A stateful operator's uid is the key to its state, so it must not change when unrelated operators come or go: it is
// made of the nearest ancestors that have a uid by the user's hand, and of what the operator does
// ("bars/symbol/tumbling(7d)"). A stateless operator's uid only has to be unique and the same in every process:
// ancestor, kind, and a number when needed.

import { UserError } from "../../base/errors.ts";
import type { PlanNode } from "./plan-node.ts";

export function derivedUids(nodes: readonly PlanNode[]): ReadonlyMap<PlanNode, string> {
  const uids = new Map<PlanNode, string>();
  const owners = new Map<string, PlanNode>();
  const anchors = new Map<PlanNode, string>();
  for (const node of nodes) {
    const wanted = node.explicitUid ?? derivedUid(node, anchors);
    const uid = node.explicitUid === null && node.signature === null ? unusedUid(wanted, owners) : wanted;
    const other = owners.get(uid);
    if (other) throw duplicateUid(uid, node, other);
    owners.set(uid, node);
    uids.set(node, uid);
    anchors.set(node, node.explicitUid ?? (node.signature === null ? anchorOf(node, anchors) : uid));
  }
  return uids;
}

function anchorOf(node: PlanNode, anchors: ReadonlyMap<PlanNode, string>): string {
  const names = new Set(
    node.inputs.map((edge) => `${anchors.get(edge.from) ?? ""}${edge.output === "" ? "" : `.${edge.output}`}`),
  );
  return [...names].sort().join("+");
}

function derivedUid(node: PlanNode, anchors: ReadonlyMap<PlanNode, string>): string {
  return `${anchorOf(node, anchors)}/${node.signature ?? node.kind}`;
}

function unusedUid(wanted: string, taken: ReadonlyMap<string, PlanNode>): string {
  for (let number = 1; ; number += 1) {
    const uid = number === 1 ? wanted : `${wanted}#${number}`;
    if (!taken.has(uid)) return uid;
  }
}

function duplicateUid(uid: string, node: PlanNode, other: PlanNode): UserError {
  const first = other.location ? ` (the other: ${other.location.file}:${other.location.line})` : "";
  return new UserError("UID_DUPLICATE", `two operators have the uid "${uid}"${first}`, {
    fix:
      node.explicitUid === null
        ? 'operators without a uid are named by their kind and fields; tell these apart with .uid("…")'
        : "give each operator a uid of its own",
    operator: uid,
    ...(node.location && { location: node.location }),
  });
}
