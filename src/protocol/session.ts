// What a job master and a TaskManager have to say to each other about one attempt of a job. Connections come and go;
// nothing that was said is lost or done twice, and when they stay apart for too long both know that it is over.
//
//   N1. Messages are received once, in order, whatever happens to connections: each is kept until it is known to have
//       been received, and said again on the next connection.
//   N2. Who dials leads. It notices a connection that is dead without a sign by asking now and then.
//   N3. A session has one connection at a time: the newest. What still comes over an older one is dropped.
//   N4. Who leads gives up before who follows does: a session that is lost to one end is lost to both.
//   N5. A session of a newer attempt or leader ends the one before; one of an older is refused.

import type { Env, TimerHandle } from "../base/env.ts";
import { type EngineError, ExternalError } from "../base/errors.ts";
import type { JobId } from "../base/ids.ts";
import type { Connection, Receiver, Says, Transport } from "../network/transport.ts";
import { compareFences, type DropCounts, type Fence, type Fenced, KeepingEnd } from "./fence.ts";

type SessionRequest =
  /** `dial`: which connection of the session this is. `resumes`: it was welcome before. */
  | {
      readonly kind: "hello";
      readonly fence: Fence;
      readonly heard: number;
      readonly dial: number;
      readonly resumes: boolean;
    }
  | { readonly kind: "ping"; readonly heard: number };
type SessionReply = { readonly kind: "heard"; readonly heard: number } | { readonly kind: "refused" };
type SessionMessage<M> =
  | { readonly kind: "said"; readonly message: Fenced<M> }
  | { readonly kind: "heard"; readonly heard: number }
  /** The session is over, and both know it. */
  | { readonly kind: "bye" };

export type SessionSays<M> = Says<SessionMessage<M>, SessionRequest, SessionReply>;
type Side<Out, In> = Connection<SessionSays<Out>, SessionSays<In>>;

export type SessionTiming = {
  /** How often who leads asks whether the other end is there. */
  readonly heartbeatIntervalMs: number;
  /** How long it waits for an answer, and for a connection; who follows waits twice as long. */
  readonly heartbeatTimeoutMs: number;
};

type SessionOptions = {
  readonly env: Pick<Env, "timers" | "clock">;
  readonly timing: SessionTiming;
  readonly dropped: DropCounts;
};

/** How a session is used at either end. */
export interface Session<Out> {
  send(body: Out): void;
  /** Ends it; the other end is told if it can be. */
  close(): void;
}

export type SessionUser<In> = {
  receive(body: In): void;
  /** The session has ended, and not by `close`. */
  lost(error: EngineError): void;
};

const REDIAL_MIN_MS = 10;
const REDIAL_MAX_MS = 1_000;
/** Messages that are received before the sender hears of it without asking. */
const TELL_EVERY = 64;

/** Where a connection is, and what is said over it. */
class SessionEnd<Out, In> {
  readonly fenced: KeepingEnd<Out, In>;
  connection: Side<Out, In> | null = null;
  readonly #receive: (body: In) => void;
  #told = 0;

  constructor(fenced: KeepingEnd<Out, In>, receive: (body: In) => void) {
    this.fenced = fenced;
    this.#receive = receive;
  }

  send(body: Out): void {
    const message = this.fenced.say(body);
    this.connection?.send({ kind: "said", message });
  }

  /** Says again what the other end has not heard. */
  attach(connection: Side<Out, In>, heard: number): void {
    this.connection = connection;
    this.fenced.wasHeard(heard);
    for (const message of this.fenced.unheard) connection.send({ kind: "said", message });
  }

  onMessage(from: Side<Out, In>, message: SessionMessage<In>): void {
    if (message.kind === "heard") this.fenced.wasHeard(message.heard);
    if (message.kind !== "said") return;
    const received = this.fenced.receive(message.message);
    if (received === null) return;
    if (this.fenced.heard - this.#told >= TELL_EVERY) this.#tell(from);
    this.#receive(received.body);
  }

  #tell(from: Side<Out, In>): void {
    this.#told = this.fenced.heard;
    from.send({ kind: "heard", heard: this.#told });
  }
}

export type DialedOptions<In> = SessionOptions &
  SessionUser<In> & {
    readonly transport: Transport;
    readonly address: string;
    readonly fence: Fence;
  };

/** The end of who leads. */
export class DialedSession<Out, In> implements Session<Out> {
  readonly #options: DialedOptions<In>;
  readonly #end: SessionEnd<Out, In>;
  #dialing: Side<Out, In> | null = null;
  #dials = 0;
  #wasWelcome = false;
  #redialMs = REDIAL_MIN_MS;
  #apartSinceMs: number;
  #timer: TimerHandle | null = null;
  #over = false;

  constructor(options: DialedOptions<In>) {
    this.#options = options;
    this.#end = new SessionEnd(new KeepingEnd<Out, In>(options.fence, options.dropped), (body) => {
      if (!this.#over) options.receive(body);
    });
    this.#apartSinceMs = options.env.clock.monotonicMs();
    this.#dial();
  }

  send(body: Out): void {
    if (!this.#over) this.#end.send(body);
  }

  close(): void {
    this.#end.connection?.send({ kind: "bye" });
    this.#finish();
  }

  #finish(): void {
    this.#over = true;
    this.#timer?.cancel();
    this.#dialing?.close();
    this.#dialing = null;
    this.#end.connection = null;
  }

  #dial(): void {
    const { transport, address, fence, timing } = this.#options;
    const connection: Side<Out, In> = transport.connect(address);
    this.#dialing = connection;
    connection.receive({
      message: (message) => {
        if (message.kind === "bye") this.#lost("has ended it");
        else this.#end.onMessage(connection, message);
      },
      lost: () => this.#broken(connection),
    });
    this.#dials += 1;
    const { heard } = this.#end.fenced;
    const hello = { kind: "hello", fence, heard, dial: this.#dials, resumes: this.#wasWelcome } as const;
    connection
      .request(hello, timing.heartbeatIntervalMs)
      .then((reply) => this.#welcomed(connection, reply))
      .catch(() => this.#broken(connection));
  }

  #welcomed(connection: Side<Out, In>, reply: SessionReply): void {
    if (connection !== this.#dialing) return;
    if (reply.kind === "refused") {
      this.#lost("does not know this attempt any more");
      return;
    }
    this.#wasWelcome = true;
    this.#redialMs = REDIAL_MIN_MS;
    this.#end.attach(connection, reply.heard);
    this.#pingLater(connection);
  }

  /** N2. In the background: it keeps nothing alive. */
  #pingLater(connection: Side<Out, In>): void {
    const { env, timing } = this.#options;
    const ping = (): void => {
      connection.request({ kind: "ping", heard: this.#end.fenced.heard }, timing.heartbeatTimeoutMs).then(
        (reply) => {
          if (connection !== this.#dialing) return;
          if (reply.kind === "heard") this.#end.fenced.wasHeard(reply.heard);
          this.#pingLater(connection);
        },
        () => this.#broken(connection),
      );
    };
    this.#timer = env.timers.after(timing.heartbeatIntervalMs, ping, { background: true });
  }

  #broken(connection: Side<Out, In>): void {
    if (this.#over || connection !== this.#dialing) return;
    const { env, timing } = this.#options;
    connection.close();
    this.#timer?.cancel();
    this.#dialing = null;
    const nowMs = env.clock.monotonicMs();
    if (this.#end.connection !== null) this.#apartSinceMs = nowMs;
    this.#end.connection = null;
    if (nowMs - this.#apartSinceMs > timing.heartbeatTimeoutMs) {
      this.#lost(`cannot be reached for ${timing.heartbeatTimeoutMs} ms`); // N4
      return;
    }
    this.#timer = env.timers.after(this.#redialMs, () => this.#dial());
    this.#redialMs = Math.min(2 * this.#redialMs, REDIAL_MAX_MS);
  }

  #lost(why: string): void {
    if (this.#over) return;
    this.#finish();
    this.#options.lost(sessionLost(`${this.#options.address} ${why}`, this.#options.fence));
  }
}

type ListenerOptions<Out, In> = SessionOptions & {
  /** What takes the messages of a session that was not there before. */
  readonly open: (fence: Fence, session: Session<Out>) => SessionUser<In>;
};

/** Ends of sessions that others lead, by job. */
export class SessionListener<Out, In> {
  readonly #options: ListenerOptions<Out, In>;
  readonly #sessions = new Map<JobId, AcceptedSession<Out, In>>();
  /** Of sessions that have ended: none of their past begins again. */
  readonly #ended = new Map<JobId, Fence>();
  readonly #listening: { close(): void };

  constructor(transport: Transport, address: string, options: ListenerOptions<Out, In>) {
    this.#options = options;
    this.#listening = transport.listen<SessionSays<Out>, SessionSays<In>>(address, (connection) => {
      connection.receive(this.#receiver(connection));
    });
  }

  /** Ends all sessions without a word. */
  close(): void {
    this.#listening.close();
    for (const session of [...this.#sessions.values()]) session.close();
  }

  #receiver(connection: Side<Out, In>): Receiver<SessionSays<In>> {
    let session: AcceptedSession<Out, In> | null = null;
    return {
      request: (request) => {
        if (request.kind === "hello") session = this.#hello(connection, request);
        if (session === null) return { kind: "refused" };
        return { kind: "heard", heard: session.heard(connection, request.heard) };
      },
      message: (message) => {
        if (session === null) this.#options.dropped.add("foreign");
        else session.onMessage(connection, message);
      },
      lost: () => session?.detach(connection),
    };
  }

  #hello(
    connection: Side<Out, In>,
    { fence, heard, dial, resumes }: Extract<SessionRequest, { readonly kind: "hello" }>,
  ): AcceptedSession<Out, In> | null {
    const known = this.#sessions.get(fence.job);
    const latest = known?.fence ?? this.#ended.get(fence.job);
    const compared = latest === undefined ? "foreign" : compareFences(fence, latest);
    if (known !== undefined && compared === "same" && dial > known.dial) {
      known.attach(connection, heard, dial);
      return known;
    }
    if (compared !== "foreign" || resumes) {
      this.#options.dropped.add("late"); // N5
      return null;
    }
    known?.superseded();
    return this.#begin(fence, connection, dial);
  }

  #begin(fence: Fence, connection: Side<Out, In>, dial: number): AcceptedSession<Out, In> {
    const session = new AcceptedSession<Out, In>(this.#options, fence, () => {
      if (this.#sessions.get(fence.job) === session) this.#sessions.delete(fence.job);
      this.#remember(fence);
    });
    this.#sessions.set(fence.job, session);
    session.user = this.#options.open(fence, session);
    session.attach(connection, 0, dial);
    return session;
  }

  #remember(fence: Fence): void {
    this.#ended.delete(fence.job);
    this.#ended.set(fence.job, fence);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= ENDED_MAX) break;
      this.#ended.delete(oldest);
    }
  }
}

/** Jobs whose last attempt is remembered: by then nothing of older ones is under way. */
const ENDED_MAX = 1_000;

class AcceptedSession<Out, In> implements Session<Out> {
  user: SessionUser<In> | null = null;
  /** Of the newest connection. */
  dial = 0;
  readonly #options: SessionOptions;
  readonly #end: SessionEnd<Out, In>;
  readonly #ended: () => void;
  #patience: TimerHandle | null = null;
  #over = false;

  constructor(options: SessionOptions, fence: Fence, ended: () => void) {
    this.#options = options;
    this.#ended = ended;
    this.#end = new SessionEnd(new KeepingEnd<Out, In>(fence, options.dropped), (body) => this.user?.receive(body));
  }

  get fence(): Fence {
    return this.#end.fenced.fence;
  }

  send(body: Out): void {
    if (!this.#over) this.#end.send(body);
  }

  close(): void {
    this.#end.connection?.send({ kind: "bye" });
    this.#finish();
  }

  attach(connection: Side<Out, In>, heard: number, dial: number): void {
    this.dial = dial;
    this.#patience?.cancel();
    this.#end.connection?.close(); // N3
    this.#end.attach(connection, heard);
  }

  /** Number of the last message received, for who has received those of this end up to `heard`. */
  heard(connection: Side<Out, In>, heard: number): number {
    if (connection === this.#end.connection) this.#end.fenced.wasHeard(heard);
    return this.#end.fenced.heard;
  }

  onMessage(connection: Side<Out, In>, message: SessionMessage<In>): void {
    if (this.#over) this.#options.dropped.add("late");
    else if (message.kind === "bye") this.#finishAs(`the job master has ended it`);
    else this.#end.onMessage(connection, message);
  }

  detach(connection: Side<Out, In>): void {
    if (this.#over || connection !== this.#end.connection) return;
    this.#end.connection = null;
    const { env, timing } = this.#options;
    // N4: who leads may notice only when its ping gets no answer.
    const patienceMs = 2 * timing.heartbeatTimeoutMs + timing.heartbeatIntervalMs;
    this.#patience = env.timers.after(patienceMs, () => this.#finishAs(`nobody has dialled for ${patienceMs} ms`));
  }

  superseded(): void {
    this.#finishAs("a newer attempt or leader has taken over");
  }

  #finishAs(why: string): void {
    if (this.#over) return;
    this.#finish();
    this.user?.lost(sessionLost(why, this.fence));
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#patience?.cancel();
    this.#end.connection?.close();
    this.#end.connection = null;
    this.#ended();
  }
}

function sessionLost(why: string, { job, attempt }: Fence): ExternalError {
  return new ExternalError("SESSION_LOST", `attempt ${attempt} of job ${job} has lost touch: ${why}`, {
    fix: "look whether the process there still runs, and at its log",
  });
}
