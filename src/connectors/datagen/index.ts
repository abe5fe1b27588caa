export { datagen, generate } from "./datagen.ts";
export { type Field, gen } from "./fields.ts";
export type { IndexedOptions } from "./indexed-source.ts";
