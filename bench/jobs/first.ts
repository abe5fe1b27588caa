// The smallest useful job: five records grouped, and printed at the end.

import { collection, count, job, print } from "millrace";

export default job({ name: "bench-start", mode: "batch" }, (env) => {
  const words = ["a", "b", "a", "c", "a"].map((word) => ({ word }));
  env.from("words", collection(words)).keyBy("word").aggregate({ n: count() }).to("counts", print());
});
