// Colours of a stream: on for people, off for everything else.

export type Palette = Readonly<Record<"bold" | "dim" | "red" | "green", (text: string) => string>>;

const ESCAPES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39] } as const;

export function paletteOf(colours: boolean): Palette {
  const style = ([open, close]: readonly [number, number]) => {
    return (text: string): string => (colours ? `\x1b[${open}m${text}\x1b[${close}m` : text);
  };
  return { bold: style(ESCAPES.bold), dim: style(ESCAPES.dim), red: style(ESCAPES.red), green: style(ESCAPES.green) };
}

/** no-color.org: any value but the empty one turns colours off. */
export function wantsColours(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): boolean {
  return isTerminal && (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";
}
