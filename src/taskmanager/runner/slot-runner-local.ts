// Runs slots in the calling thread, one turn at a time, on the environment's timers: the local executor and the
// simulation.

import type { Job } from "../../api/job.ts";
import type { Env } from "../../base/env.ts";
import type { Doorbell } from "../../network/data-link.ts";
import { directTransport } from "../../network/direct-transport.ts";
import type { Transport } from "../../network/transport.ts";
import { DropCounts } from "../../protocol/fence.ts";
import { FencedConnection } from "../../protocol/fenced-connection.ts";
import type { FromSlot, SlotControl, SlotSide, SlotWiring, ToSlot } from "../../protocol/slot-messages.ts";
import type { LinkBuilder } from "../build/links.ts";
import type { JobStubs } from "../slot/job-factory.ts";
import type { Slot } from "../slot/slot.ts";
import { slotHost } from "./slot-host.ts";
import { SLOT_ADDRESS, type SlotHandle, type SlotRunner, type SlotStart } from "./slot-runner.ts";

export type LocalRunnerOptions = {
  readonly env: Env;
  readonly load: (bundle: string | null) => Promise<Job>;
  /** Control messages and links of the simulation. */
  readonly transport?: Transport;
  readonly links?: (slot: number, doorbells: readonly Doorbell[], wiring: SlotWiring) => LinkBuilder;
  /** Environment of a slot; that of the runner by default. The simulation gives each slot a clock of its own. */
  readonly slotEnv?: (slot: number) => Env;
  readonly stubs?: JobStubs;
};

/** Rings whatever slot has the place now. */
class Bell implements Doorbell {
  loop: SlotLoop | null = null;

  ring(): void {
    this.loop?.ring();
  }
}

/** Gives a slot turns: at once while it is busy, when it is rung, or when its time has come. */
class SlotLoop {
  slot: Slot | null = null;
  readonly #env: Env;
  #scheduled = false;
  #rung = false;
  #timer: { cancel(): void } | null = null;
  #stopped = false;

  constructor(env: Env) {
    this.#env = env;
  }

  ring(): void {
    this.#rung = true;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#env.timers.soon(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    this.#rung = false;
    if (this.slot === null || this.#stopped) return;
    const turn = this.slot.turn();
    if (turn.busy || this.#rung) this.#schedule();
    else if (turn.sleepMs !== Infinity) this.#timer = this.#env.timers.after(turn.sleepMs, () => this.#schedule());
  }
}

export function localSlotRunner(options: LocalRunnerOptions): SlotRunner {
  const { env, transport = directTransport(env) } = options;
  const bells: Bell[] = [];
  let started = 0;
  const bellOf = (index: number): Bell => {
    bells[index] ??= new Bell();
    return bells[index];
  };
  return {
    keepReady: () => undefined, // There is nothing to start.
    residentBytes: () => null,
    start(start: SlotStart): SlotHandle {
      const loop = new SlotLoop(env);
      bellOf(start.index).loop = loop;
      const doorbells = Array.from({ length: start.slots }, (_, index) => bellOf(index));
      const { links, stubs, slotEnv = () => env } = options;
      // Of its own: what was dialled for a slot that has ended since does not reach the one in its place.
      const address = `${SLOT_ADDRESS} ${start.index} ${started}`;
      started += 1;
      const serve = (side: SlotSide): void => {
        const control = new FencedConnection<FromSlot, ToSlot>(side, start.fence, new DropCounts(start.dropped));
        const slot = slotHost({
          env: slotEnv(start.index),
          start,
          doorbells,
          load: options.load,
          send: (message) => control.send(message),
          wake: () => loop.ring(),
          ...(stubs && { stubs }),
          ...(links && { links: (wiring: SlotWiring) => links(start.index, doorbells, wiring) }),
        });
        loop.slot = slot;
        control.receive(
          (message) => {
            slot.onMessage(message);
            loop.ring();
          },
          () => loop.stop(),
        );
        control.send({ kind: "ready" });
      };
      const listener = transport.listen(address, serve);
      const control: SlotControl = transport.connect(address);
      return {
        control,
        ring: () => loop.ring(),
        terminate: async () => {
          if (bellOf(start.index).loop !== loop) return; // Another one has the place.
          control.close();
          listener.close();
          loop.stop();
          loop.slot?.abandon();
        },
        stackSample: async () => null,
        heldBytes: async () => 0,
      };
    },
  };
}
