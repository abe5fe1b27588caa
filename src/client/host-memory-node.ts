// Memory of a process that is not the job's alone: the program that started it, and other jobs.
//
//   M1. A job is held to its own budget: what the program had before its first job, and what other jobs may use, are
//       not counted as the job's. What the program takes later is, but then no slot is ended that keeps to its share.

/** Budgets of the jobs that run in this process. */
const running = new Set<MemoryShare>();
let programBytes = 0;

export class MemoryShare {
  budgetBytes = 0;

  constructor() {
    if (running.size === 0) programBytes = process.memoryUsage.rss();
    running.add(this);
  }

  /** What the process uses beyond the program and the budgets of other jobs. */
  residentBytes(): number {
    const others = [...running].reduce((bytes, share) => bytes + (share === this ? 0 : share.budgetBytes), 0);
    return process.memoryUsage.rss() - programBytes - others;
  }

  release(): void {
    running.delete(this);
  }
}
