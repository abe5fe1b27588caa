import type { Mutant } from "../mutant.ts";

const BUILDER = "src/api/plan/plan-builder.ts";
const GRAPH = "src/graph/job-graph.ts";
const WATERMARK_STEPS = "src/graph/watermark-steps.ts";
const TIME_ORDER = "src/graph/time-order.ts";
const WATERMARK_STEPS_TESTS = ["src/graph/watermark-steps.test.ts"];
const TIME_ORDER_TESTS = ["src/graph/time-order.test.ts"];
const JOB_GRAPH_TESTS = ["src/graph/job-graph.test.ts"];

/** Of api, graph and client. */
export const PLAN: readonly Mutant[] = [
  {
    name: "watermarks that go past a second eventTime count as taken",
    file: "src/api/plan/option-effects.ts",
    find: `      if (node.kind !== "eventTime") open.push(node);\n`,
    replace: "      open.push(node);\n",
  },
  {
    name: "only what stands directly behind an eventTime counts as taking its watermarks",
    file: "src/api/plan/option-effects.ts",
    find: `      if (node.kind !== "eventTime") open.push(node);\n`,
    replace: "",
  },
  {
    name: "a sink of one file gets several subtasks",
    file: "src/api/plan/option-effects.ts",
    find: "  if (!isStdin && !isSingle) return;\n",
    replace: "  if (!isStdin) return;\n",
  },
  {
    name: "the plan's hash is made without the parameters",
    file: BUILDER,
    find: "hash: canonicalHash(content), locations",
    replace: "hash: canonicalHash({ ...content, params: null }), locations",
    tests: ["src/api/plan/plan-builder.test.ts"],
  },
  {
    name: "the plan's hash depends on where operators were declared",
    file: BUILDER,
    find: "hash: canonicalHash(content), locations",
    replace: "hash: canonicalHash({ ...content, locations: planned.locations }), locations",
    tests: ["src/api/plan/plan-builder.test.ts"],
  },
  {
    name: "side outputs stand in the order of their declaration",
    file: BUILDER,
    find: "sides: [...node.sides].sort((a, b) => (a.name < b.name ? -1 : 1)),",
    replace: "sides: node.sides,",
    tests: ["src/api/plan/plan-builder.test.ts"],
  },
  {
    name: "an operator's slot group is not that of its input",
    file: BUILDER,
    find: "for (let at: PlanNode | undefined = node; at; at = at.inputs[0]?.from)\n      if (at.slotGroup !== null)",
    replace: "for (let at: PlanNode | undefined = node; at; at = undefined)\n      if (at.slotGroup !== null)",
    tests: ["src/api/plan/plan-builder.test.ts"],
  },
  {
    name: "more subtasks than key groups are taken",
    file: BUILDER,
    find: "if (parallelism > maxParallelism) {",
    replace: "if (parallelism > maxParallelism + 1) {",
    tests: ["src/api/plan/plan-builder.test.ts"],
  },
  {
    name: "a stateful operator's uid depends on others beside it",
    file: "src/api/plan/derived-uid.ts",
    find: "const uid = node.explicitUid === null && node.signature === null ? unusedUid(wanted, owners) : wanted;",
    replace: "const uid = node.explicitUid === null ? unusedUid(wanted, owners) : wanted;",
  },
  {
    name: "two operators of one uid are taken",
    file: "src/api/plan/derived-uid.ts",
    find: "    if (other) throw duplicateUid(uid, node, other);\n",
    replace: "    void other;\n",
  },
  {
    name: "a misspelt parameter is passed over",
    file: "src/api/params.ts",
    find: "  refuseUnknown(schema, result.value, text);\n",
    replace: "",
  },
  {
    name: "a parameter that is a number is taken for one where the schema wants a text",
    file: "src/api/params.ts",
    find: '  let result = await schema["~standard"].validate(input);\n  if (result.issues !== undefined) {',
    replace:
      '  for (const name of Object.keys(input)) input[name] = jsonValue(String(input[name]));\n  let result = await schema["~standard"].validate(input);\n  if (result.issues !== undefined) {',
  },
  {
    name: "operators of different parallelism are chained",
    file: GRAPH,
    find: "  if (from.parallelism !== to.parallelism) return `parallelism differs (${from.parallelism} and ${to.parallelism})`;\n",
    replace: "",
  },
  {
    name: "operators of different slot groups are chained",
    file: GRAPH,
    find: "  if (from.slotGroup !== to.slotGroup) return",
    replace: "  if (from.slotGroup > to.slotGroup) return",
  },
  {
    name: "an operator with two inputs is chained to the first",
    file: GRAPH,
    find: "if (inputs > 1) return",
    replace: "if (inputs > 2) return",
  },
  {
    name: "a plan with a cycle is taken",
    file: GRAPH,
    find: "    if (from >= to) {",
    replace: "    if (from > to) {",
  },
  {
    name: "differences of parameters are not named",
    file: "src/graph/plan-diff.ts",
    find: `for (const key of ["version", "name", "mode", "params"] as const) {`,
    replace: `for (const key of ["version", "name", "mode"] as const) {`,
  },
  {
    name: "an endless source that has a step keeps no watermarks among its records",
    file: WATERMARK_STEPS,
    find: "reaches(edge.from, namesStep, (uid)",
    replace: "reaches(edge.to, namesStep, (uid)",
    tests: WATERMARK_STEPS_TESTS,
  },
  {
    name: "a combiner sends watermarks among its rows",
    file: WATERMARK_STEPS,
    find: '  if (operators.get(edge.from)?.kind === "preAggregate") return false;\n',
    replace: "",
    tests: WATERMARK_STEPS_TESTS,
  },
  {
    name: "timers behind inOrder ask for watermarks among the records",
    file: WATERMARK_STEPS,
    find: "operator === undefined || isInOrder(operator)",
    replace: "operator === undefined",
    tests: WATERMARK_STEPS_TESTS,
  },
  {
    name: "a step of one's own is made longer by what may be out of order",
    file: WATERMARK_STEPS,
    find: "return everyMs ?? Math.max(STEP_MS, outOfOrderMs / STEPS_PER_DISORDER);",
    replace: "return Math.max(everyMs ?? STEP_MS, outOfOrderMs / STEPS_PER_DISORDER);",
    tests: WATERMARK_STEPS_TESTS,
  },
  {
    name: "one of two sources decides whether the input ends",
    file: TIME_ORDER,
    find: "if (!sources.every(sourceEnds)) return",
    replace: "if (!sources.some(sourceEnds)) return",
    tests: TIME_ORDER_TESTS,
  },
  {
    name: "an input that comes by a window is taken for one in order",
    file: TIME_ORDER,
    find: "return isDirect && isInOrder ?",
    replace: "return isInOrder ?",
    tests: TIME_ORDER_TESTS,
  },
  {
    name: "sources whose files do not follow one another are taken for one stream",
    file: TIME_ORDER,
    find: "sources.every(isOneStream) &&",
    replace: "sources.some(isOneStream) &&",
    tests: TIME_ORDER_TESTS,
  },
  {
    name: "who asked to begin a chain is chained",
    file: GRAPH,
    find: '  if (to.chaining === "head") return `"${to.name}" asked for a new chain`;\n',
    replace: "",
    tests: JOB_GRAPH_TESTS,
  },
  {
    name: "who asked not to be chained is, to what follows",
    file: GRAPH,
    find: '  if (from.chaining === "never") return `"${from.name}" asked not to be chained`;\n',
    replace: "",
    tests: JOB_GRAPH_TESTS,
  },
  {
    name: "operators of different maximum parallelism are chained",
    file: GRAPH,
    find: "  if (from.maxParallelism !== to.maxParallelism)\n    return `maximum parallelism differs (${from.maxParallelism} and ${to.maxParallelism})`;\n",
    replace: "",
    tests: JOB_GRAPH_TESTS,
  },
  {
    name: "a map leaves the updates behind it their key",
    file: "src/graph/changelog.ts",
    find: '      return lost(input, `${kind} "${name}" makes other records of them`);',
    replace: "      return input;",
    tests: ["src/taskmanager/task/changelog.test.ts"],
  },
  {
    name: "rows of one key may overtake one another on the way to a store by key",
    file: "src/graph/changelog.ts",
    find: "  if (!spreads || to?.parallelism === 1) return given;",
    replace: "  if (spreads || !spreads) return given;",
    tests: ["src/taskmanager/task/changelog.test.ts"],
  },
  {
    name: "two streams with one key are taken for updates of one another",
    file: "src/graph/changelog.ts",
    find: '  return { kind: "upsert", key: null, deletes, lost: "rows of several streams may have one key" };',
    replace: "  return first;",
    tests: ["src/taskmanager/task/changelog.test.ts"],
  },
  {
    name: "a running aggregate counts updates as records",
    file: "src/graph/changelog.ts",
    find: '  if (["aggregate", "reduce", "window"].includes(operator.kind)) {',
    replace: '  if (["window"].includes(operator.kind)) {',
    tests: ["src/taskmanager/task/changelog.test.ts"],
  },
  {
    name: "a filter leaves rows behind in a store by key that pass no longer",
    file: "src/graph/changelog.ts",
    find: '    if (to?.kind === "sink") return takesOf(to) !== "rows";',
    replace: '    if (to?.kind === "sink") return false;',
    tests: ["src/taskmanager/task/changelog.test.ts"],
  },
];
