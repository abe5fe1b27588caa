export { type PrintOptions, print } from "./print.ts";
