import { nodeEnv } from "../../base/env-node.ts";
import { SeededRandom } from "../../base/seeded-random.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { simTransport } from "../../testing/sim-transport.ts";
import { jobLoad } from "./job-load-node.ts";
import { slotRunnerContract } from "./slot-runner.contract.ts";
import { localSlotRunner } from "./slot-runner-local.ts";
import { threadSlotRunner } from "./slot-runner-node.ts";

const env = nodeEnv(nodeDisk());

slotRunnerContract("in the calling thread", {
  ownThreads: false,
  make: () => localSlotRunner({ env, load: jobLoad }),
});

slotRunnerContract("in the calling thread, with messages that take their time", {
  ownThreads: false,
  make: () => {
    const transport = simTransport({ env, random: new SeededRandom(1), delayMaxMs: 10 });
    return localSlotRunner({ env, load: jobLoad, transport });
  },
});

slotRunnerContract("in worker threads", { ownThreads: true, make: () => threadSlotRunner() });
