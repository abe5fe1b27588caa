export { collection } from "./collection.ts";
