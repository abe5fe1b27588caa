// What a task is doing, as numbers in shared memory, and Flink's names of the counters that add it up.

/** By their number in memory. */
export const ACTIVITIES = ["ended", "busy", "idle", "backPressured"] as const;

export type Activity = (typeof ACTIVITIES)[number];

const COUNTERS: Readonly<Record<Activity, string>> = {
  ended: "",
  busy: "accumulateBusyTimeMs",
  idle: "accumulateIdleTimeMs",
  backPressured: "accumulateBackPressuredTimeMs",
};

export function activityCode(activity: Activity): number {
  return ACTIVITIES.indexOf(activity);
}

/** Counter of the milliseconds that a task spent so; of an ended task there is none. */
export function activityCounter(activity: Activity): string {
  return COUNTERS[activity];
}
