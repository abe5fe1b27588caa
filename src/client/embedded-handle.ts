// Connects the embedded runtime to a job's handle, by messages within the thread.

import type { EngineError } from "../base/errors.ts";
import type { Savepoint } from "../checkpoint/savepoint.ts";
import { directTransport } from "../network/direct-transport.ts";
import type { Says } from "../network/transport.ts";
import { errorData, errorFromData } from "../protocol/error-data.ts";
import type { FromJob, JobControl, JobEnd, JobMetrics, JobSide, ToJob } from "../protocol/job-messages.ts";
import type { Controlled } from "./control/run-control.ts";
import type { OpenRun } from "./control/run-place-node.ts";
import { type EmbeddedJob, type EmbeddedOptions, embeddedStart } from "./embedded.ts";
import { type HandleOptions, JobHandle } from "./job-handle.ts";
import { jobMetrics } from "./job-metrics.ts";

const JOB_ADDRESS = "job";
/** Rates are those of the last minute, give or take this. As in Flink. */
const SAMPLE_EVERY_MS = 5_000;

export type HandledOptions = Omit<EmbeddedOptions, "onRows"> &
  Pick<HandleOptions, "told" | "onEnd"> & {
    /** Makes it known outside of the process, until its end. Default: it is not. */
    readonly control?: (job: Controlled) => OpenRun;
  };

export type Handled = { readonly run: EmbeddedJob; readonly handle: JobHandle; readonly control: OpenRun | null };

export function embeddedHandle(options: HandledOptions): Handled {
  const { env } = options;
  const { promise: connected, resolve } = Promise.withResolvers<JobSide>();
  const send = (message: FromJob): void => {
    connected.then((side) => side.send(message)).catch((error: EngineError) => run.fail(error));
  };
  const run = embeddedStart({
    ...options,
    onRows: ({ task, sink, rows }) => send({ kind: "rows", task, sink, rows }),
  });
  const metrics = metricsOf(run, options);
  const receive = (message: ToJob): void => {
    if (message.kind === "rowsRead") run.master.rowsRead(message);
    else if (message.kind === "metrics") send({ ...message, metrics: metrics() });
    else if (message.kind === "exceptions") send({ ...message, exceptions: run.master.exceptions });
    else if (message.kind === "fail") run.fail(errorFromData(message.error));
    else if (message.kind === "stop") run.stop();
    else if (message.kind === "stopWith") answer(message.request, run.stopWith(message));
    else if (message.kind === "savepoint") answer(message.request, run.savepoint(message.path));
    else run.cancel();
  };
  const answer = (request: number, savepoint: Promise<Savepoint | null>): void => {
    savepoint.then(
      (written) => send({ kind: "savepoint", request, savepoint: written }),
      (error: unknown) => send({ kind: "refused", request, error: errorData(error) }),
    );
  };
  const transport = directTransport(env);
  transport.listen<Says<FromJob>, Says<ToJob>>(JOB_ADDRESS, (side) => {
    side.receive({ message: receive });
    resolve(side);
  });
  const connection: JobControl = transport.connect(JOB_ADDRESS);
  const handle = new JobHandle({ ...options, jobId: run.jobId, plan: run.plan, connection });
  const control =
    options.control?.({
      ...{ name: run.plan.name, savepoint: run.savepoint, stopWith: run.stopWith, cancel: run.cancel },
      get isEnding() {
        return run.isEnding;
      },
    }) ?? null;
  void endOf(run, metrics).then(async (end) => {
    await control?.ended(end.outcome);
    send({ kind: "ended", end });
  });
  return { run, handle, control };
}

async function endOf(run: EmbeddedJob, metrics: () => JobMetrics): Promise<JobEnd> {
  const { outcome, error } = await run.result.catch((cause: unknown) => ({ outcome: "failed" as const, error: cause }));
  const { commitsBegan: commits } = run.master.state;
  return {
    outcome: outcome === "cancelled" && commits ? "stopped" : outcome,
    error: error === null ? null : errorData(error),
    commits,
    metrics: metrics(),
    exceptions: run.master.exceptions,
  };
}

/** Samples the rates while the job runs. */
function metricsOf(run: EmbeddedJob, { env }: HandledOptions): () => JobMetrics {
  const { plan, taskManager, dropped } = run;
  let startMs: number | null = null;
  let endMs: number | null = null;
  const sample = (): void => {
    if (endMs !== null) return;
    run.rates.sample();
    env.timers.after(SAMPLE_EVERY_MS, sample, { background: true });
  };
  void run.master.running().then(() => {
    startMs = env.clock.monotonicMs();
    sample();
  });
  void run.ended.then(() => {
    endMs = env.clock.monotonicMs();
  });
  return () => {
    const nowMs = endMs ?? env.clock.monotonicMs();
    const runningMs = startMs === null ? 0 : nowMs - startMs;
    const { network, managed } = taskManager;
    const pools = { network: network.stats(), managed: managed.stats(), managedBlockSize: managed.segmentSize };
    const jobManager = run.jobManagerMetrics(nowMs);
    const { metrics, rates } = run;
    return jobMetrics({ plan, metrics, rates, runningMs, pools, dropped, jobManager });
  };
}
