// The words of an accumulator in generated code.

/** The n-th word, as text that can be read and assigned. */
export type Words = (n: number) => string;
