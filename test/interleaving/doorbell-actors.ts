// A slot that sleeps and wakes, and others that give it work and ring it.

import { SharedDoorbell } from "../../src/network/doorbell.ts";
import { TurnLoop } from "../../src/taskmanager/runner/turn-loop.ts";
import type { Actor, World } from "./actor.ts";

/** Words of the memory "work": how much was given, how much of it was done. */
const GIVEN = 0;
const DONE = 1;

const bellOf = ({ memories }: World): SharedDoorbell => new SharedDoorbell(new Int32Array(memories.bell!));

export type DoorbellData = {
  readonly pieces: number;
  /** It sleeps for that long at most. */
  readonly sleepMs: number;
};

/** Ends when it has done what was given to it by all. */
const sleeper: Actor = (world) => {
  const { memories, data } = world;
  const work = new Int32Array(memories.work!);
  const { pieces, sleepMs } = data as DoorbellData;
  let done = 0;
  const loop = new TurnLoop({
    bell: bellOf(world),
    turn: () => {
      const given = Atomics.load(work, GIVEN);
      const busy = given > done;
      done = given;
      return { busy, sleepMs };
    },
    isOver: () => done >= pieces,
    onOver: () => Atomics.store(work, DONE, done),
    soon: world.soon,
  });
  return () => world.drive(() => loop.run());
};

const giver =
  (pieces: number, after: string | null): Actor =>
  (world) => {
    const work = new Int32Array(world.memories.work!);
    const bell = bellOf(world);
    return () => {
      if (after !== null) world.untilEnded(after);
      for (let piece = 0; piece < pieces; piece += 1) {
        Atomics.add(work, GIVEN, 1);
        bell.ring();
      }
    };
  };

/** Gives what the one before it did not come to give. */
const heir: Actor = (world) => {
  const work = new Int32Array(world.memories.work!);
  const bell = bellOf(world);
  const { pieces } = world.data as DoorbellData;
  return () => {
    world.untilEnded("first");
    Atomics.store(work, GIVEN, pieces);
    bell.ring();
  };
};

export const actors = { sleeper, first: giver(1, null), second: giver(1, null), twice: giver(2, null), heir };
