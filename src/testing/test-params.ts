// Parameters of a job under test: values as the test writes them, and errors that say how a test gives them.

import { UserError } from "../base/errors.ts";

export type TestParams = Readonly<Record<string, string | number | boolean>>;

/** As text, which is what the command line gives a job. */
export function paramsText(params: TestParams = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));
}

/** Builds a job; what is wrong with its parameters is told with the call that gives them, made of its options. */
export async function builtForTest<T>(call: (options: string) => string, build: () => Promise<T>): Promise<T> {
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
