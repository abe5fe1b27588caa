// The Standard Schema v1 interface (https://standardschema.dev), written out: types alone need no package.
//
// A schema of any library, with the `~standard` property, can stand where this engine validates: `parse` and `params`.
// Where it stores and sends, only its own `t.*` types (types/t.ts), which implement it too, say how values look.

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": StandardProps<Input, Output>;
}

export interface StandardProps<Input = unknown, Output = Input> {
  readonly version: 1;
  readonly vendor: string;
  readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
  /** Carries the inferred types; never present at run time. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

export type StandardResult<Output> = StandardSuccess<Output> | StandardFailure;

export type StandardSuccess<Output> = { readonly value: Output; readonly issues?: undefined };

export type StandardFailure = { readonly issues: readonly StandardIssue[] };

export type StandardIssue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

/** What a schema yields. */
export type Infer<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];

/**
 * `F`, functions that give values of `S`, which another argument says. The compiler sees through a choice as soon as it
 * knows `S`, and so before it looks at what they give: a text there is a literal of an enum, and not any `string`. The
 * choice is between the same twice, so that `F` fits also where `S` is never known, in functions over any schema.
 */
export type WhenKnown<S extends StandardSchema, F> = [S] extends [never] ? F : F;
