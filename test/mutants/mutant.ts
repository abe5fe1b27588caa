// A mistake that a good engineer might make, planted on purpose: at least one test close to the code must catch it.
//
//   M1. `find` stands exactly once in `file`. What has read nothing, or not what was meant, is no proof.
//   M2. The changed file can still be parsed, and is another program than before.

import { stripTypeScriptTypes } from "node:module";
import { repoText } from "../tidy/repo-files.ts";

export type Mutant = {
  /** A sentence: what is wrong once it is planted. Unique. */
  readonly name: string;
  /** Relative to the root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Where it should be caught, the likeliest first. By default: the tests of the file's folder that reach the file. */
  readonly tests?: readonly string[];
};

const known = { text: "", stripped: "" };

/** Entries of one file follow each other. */
function stripped(text: string): string {
  if (known.text !== text) Object.assign(known, { text, stripped: stripTypeScriptTypes(text) });
  return known.stripped;
}

/** Text of the file with the mistake in it. Throws, with what to do, when the mistake cannot be planted any more. */
export function planted(mutant: Mutant, text: string = repoText(mutant.file)): string {
  const { name, file, find, replace } = mutant;
  const [before = "", after, ...more] = text.split(find);
  const times = more.length + (after === undefined ? 0 : 1);
  if (after === undefined || times !== 1) {
    throw new Error(
      `the mutant "${name}" has to find its text once in ${file}, and finds it ${times} times:\n${find}\n` +
        "You have changed what it changes: give its entry in test/mutants/list/ the new text (the same mistake in the " +
        `new code), and see that \`npm run mutants -- "${name}"\` catches it; if there is no such code any more, remove it.`,
    );
  }
  const changed = before + replace + after;
  try {
    if (stripTypeScriptTypes(changed) !== stripped(text)) return changed;
  } catch (error) {
    throw new Error(`the mutant "${name}" leaves ${file} with a syntax error`, { cause: error });
  }
  throw new Error(`the mutant "${name}" changes nothing in ${file}`);
}
