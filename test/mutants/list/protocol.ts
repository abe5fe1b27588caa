import type { Mutant } from "../mutant.ts";

const FENCE = "src/protocol/fence.ts";
const SESSION = "src/protocol/session.ts";

export const PROTOCOL: readonly Mutant[] = [
  {
    name: "a message of an older leader is received when its attempt is the same",
    file: FENCE,
    find: '  if (fence.epoch !== current.epoch) return fence.epoch < current.epoch ? "late" : "foreign";\n',
    replace: "",
  },
  {
    name: "a message of another job is received when attempt and leader are the same",
    file: FENCE,
    find: '  if (fence.job !== current.job) return "foreign";\n',
    replace: "",
  },
  {
    name: "a message of an older attempt is received",
    file: FENCE,
    find: "  if (fence.attempt !== current.attempt) return",
    replace: "  if (fence.attempt > current.attempt) return",
  },
  {
    name: "a message that comes twice is received twice",
    file: FENCE,
    find: '    if (sequence <= this.#heard) return "twice";\n',
    replace: "",
  },
  {
    name: "a new connection of a session does not begin with what the old one lost",
    file: SESSION,
    find: '    for (const message of this.fenced.unheard) connection.send({ kind: "said", message });\n',
    replace: "",
  },
  {
    name: "a connection that died without a sign is never noticed",
    file: SESSION,
    find: "    this.#timer = env.timers.after(timing.heartbeatIntervalMs, ping, { background: true });\n",
    replace: "    void ping;\n",
  },
  {
    name: "a hello that comes late takes the session over",
    file: SESSION,
    find: 'compared === "same" && dial > known.dial',
    replace: 'compared === "same"',
  },
  {
    name: "a session of an attempt that has ended begins again",
    file: SESSION,
    find: "const latest = known?.fence ?? this.#ended.get(fence.job);",
    replace: "const latest = known?.fence;",
  },
  {
    name: "a newer attempt leaves the session of the older one as it is",
    file: SESSION,
    find: "    known?.superseded();\n",
    replace: "",
  },
  {
    name: "who follows waits for its leader without end",
    file: SESSION,
    find: "() => this.#finishAs(`nobody has dialled for ${patienceMs} ms`)",
    replace: "() => undefined",
  },
  {
    name: "what runs for a job master that is lost runs on",
    file: "src/taskmanager/task-manager-gateway.ts",
    find: '      run.slots.post(slot, { kind: "cancel", tasks: null, discard: false });\n',
    replace: "",
  },
  {
    name: "one that was welcome before begins anew with who knows nothing of it",
    file: "src/protocol/session.ts",
    find: 'if (compared !== "foreign" || resumes) {',
    replace: 'if (compared !== "foreign") {',
    tests: ["src/protocol/session.test.ts"],
  },
  {
    name: "a connection that a newer one has replaced stays open",
    file: "src/protocol/session.ts",
    find: "    this.#end.connection?.close(); // N3\n",
    replace: "",
    tests: ["src/protocol/session.test.ts"],
  },
  {
    name: "who receives much says nothing of it",
    file: "src/protocol/session.ts",
    find: "if (this.fenced.heard - this.#told >= TELL_EVERY) this.#tell(from);",
    replace: "void from;",
    tests: ["src/protocol/session.test.ts"],
  },
];
