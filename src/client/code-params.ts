// Parameters of a job that is started from code: values as they are written there, and errors that say how they are
// given there.

import { UserError } from "../base/errors.ts";

export type ParamValue = string | number | boolean;
export type ParamValues = Readonly<Record<string, ParamValue | undefined>>;

/** As text, which is what the command line gives a job. */
export function paramsText(params: ParamValues = {}): Readonly<Record<string, string>> {
  const given = Object.entries(params).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

/** Builds a job; what is wrong with its parameters is told with the call that gives them, made of its options. */
export async function builtFromCode<T>(call: (options: string) => string, build: () => Promise<T>): Promise<T> {
  try {
    return await build();
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "PARAMS_INVALID") throw error;
    const { code, message, location, fix = "" } = error;
    // A fix that names the form of the value keeps it.
    const form = /^(give .*): --param (.+)=…$/.exec(fix);
    const given = form === null ? "give parameters" : form[1];
    throw new UserError(code, message, {
      fix: `${given}: ${call(`{ params: { ${form?.[2] ?? "name"}: … } }`)}`,
      ...(location && { location }),
    });
  }
}
