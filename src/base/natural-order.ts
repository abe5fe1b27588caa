// The order in which people number things: `day-2` before `day-10`, `v1.9` before `v1.10`.

const PIECES = /\d+|\D/g;

/**
 * Compares texts sign by sign, by code unit, but runs of digits by their value, however long they are: so
 * the order is the same on every machine. Of texts that differ in leading zeros only, that with more comes first.
 */
export function naturalOrder(left: string, right: string): number {
  const [lefts, rights] = [left.match(PIECES) ?? [], right.match(PIECES) ?? []];
  for (const [index, piece] of lefts.entries()) {
    const other = rights[index];
    if (other === undefined) return 1;
    const order = pieceOrder(piece, other);
    if (order !== 0) return order;
  }
  return lefts.length === rights.length ? textOrder(left, right) : -1;
}

function pieceOrder(left: string, right: string): number {
  if (!isNumber(left) || !isNumber(right)) return textOrder(left, right);
  const [one, other] = [left.replace(/^0+/, ""), right.replace(/^0+/, "")];
  return one.length - other.length || textOrder(one, other);
}

function isNumber(piece: string): boolean {
  return piece >= "0" && piece < ":";
}

function textOrder(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
