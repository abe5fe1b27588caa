// What tells one try from another. Branded, so that none is taken for another, nor a plain number for one of them.

declare const brand: unique symbol;

/** 32 hexadecimal digits. */
export type JobId = string & { readonly [brand]: "JobId" };
/** Of a job, from 0: each deployment has one of its own. */
export type Attempt = number & { readonly [brand]: "Attempt" };
/** Of who leads a job, from 0: each new leader has a greater one than all before. */
export type LeaderEpoch = number & { readonly [brand]: "LeaderEpoch" };
/** Of a job, from 1, over all its attempts and leaders. */
export type CheckpointId = number & { readonly [brand]: "CheckpointId" };
