// What is used of picomatch; it has no types of its own.

declare module "picomatch/posix.js" {
  export type PicomatchOptions = {
    /** `[[:alpha:]]` */
    readonly posix?: boolean;
    /** `!` at the start is a character. */
    readonly nonegate?: boolean;
    /** Throws for a pattern that is none, in place of matching nothing. */
    readonly debug?: boolean;
    readonly expandRange?: (...parts: readonly unknown[]) => string;
  };
  export default function picomatch(pattern: string, options: PicomatchOptions): (name: string) => boolean;
}
