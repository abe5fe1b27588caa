import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { wantsColours } from "./palette.ts";
import { Terminal } from "./terminal.ts";

/** Both streams write into one transcript, as on a terminal. */
function setUp(options: { tty: boolean; columns?: number; environment?: Record<string, string> }) {
  let transcript = "";
  const stream = (tty: boolean) => {
    const made = new PassThrough();
    made.on("data", (chunk: Buffer) => {
      transcript += chunk.toString();
    });
    return Object.assign(made, { isTTY: tty, columns: options.columns ?? 80 }) as unknown as NodeJS.WriteStream;
  };
  const stdout = stream(options.tty);
  const stderr = stream(options.tty);
  const terminal = new Terminal({ stdout, stderr, environment: options.environment ?? {} });
  return { terminal, stdout, stderr, transcript: () => transcript };
}

test("the status line is erased before anything else is written, and stands again behind it", async () => {
  const { terminal, transcript } = setUp({ tty: true });
  terminal.status("busy");
  terminal.data("row 1");
  terminal.data("row 2");
  await terminal.flush();
  terminal.status("busy again");
  terminal.note("a note");
  await terminal.flush();
  assert.equal(transcript(), "busy\r\x1b[Krow 1\nrow 2\nbusy\r\x1b[Kbusy again\r\x1b[Ka note\nbusy again\r\x1b[K");
});

test("a status line replaces the one before, and is cut to the width of the terminal", async () => {
  const { terminal, transcript } = setUp({ tty: true, columns: 6 });
  terminal.status("123456789");
  terminal.status("abc");
  await terminal.flush();
  assert.equal(transcript(), "12345\r\x1b[Kabc\r\x1b[K");
});

test("a status line that a narrower terminal has wrapped goes with all its lines", async () => {
  const { terminal, stderr, transcript } = setUp({ tty: true, columns: 20 });
  terminal.status("1234567890");
  stderr.columns = 4;
  terminal.status("abc");
  await terminal.flush();
  assert.equal(transcript(), `1234567890\r\x1b[K${"\x1b[A\x1b[2K".repeat(2)}abc\r\x1b[K`);
});

test("off a terminal, and on a dumb one, there is no status line and no escape", async () => {
  for (const options of [{ tty: false }, { tty: true, environment: { TERM: "dumb" } }]) {
    const { terminal, transcript } = setUp(options);
    terminal.status("busy");
    terminal.data(terminal.outPalette.red("row"));
    terminal.note(terminal.errPalette.bold("note"));
    await terminal.flush();
    assert.equal(transcript(), "row\nnote\n");
  }
});

test("data and notes keep their order", async () => {
  const { terminal, transcript } = setUp({ tty: false });
  terminal.data("1");
  terminal.note("2");
  terminal.data("3");
  await terminal.flush();
  assert.equal(transcript(), "1\n2\n3\n");
});

test("a reader that goes away is told of once, and what follows is dropped", async () => {
  const { terminal, stdout } = setUp({ tty: false });
  let told = 0;
  terminal.onReaderGone = () => {
    told += 1;
  };
  stdout.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  stdout.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  terminal.data("lost");
  await terminal.flush();
  assert.equal(told, 1);
});

test("data that cannot be written are told of as an error, which is given once", async () => {
  const { terminal, stdout } = setUp({ tty: false });
  const told: string[] = [];
  terminal.onReaderGone = () => assert.fail();
  terminal.onOutputFailed = ({ code }) => told.push(code);
  stdout.write = (_: unknown, done?: unknown) => {
    if (typeof done === "function") done(Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" }));
    return false;
  };
  terminal.data("lost");
  await terminal.flush();
  assert.deepEqual(told, ["OUTPUT_FAILED"]);
  assert.match(terminal.takeOutputError()?.message ?? "", /^standard output cannot be written: ENOSPC/);
  assert.equal(terminal.takeOutputError(), null);
});

test("colours need a terminal that is not dumb, and nobody who says NO_COLOR", () => {
  assert.equal(wantsColours(true, {}), true);
  assert.equal(wantsColours(false, {}), false);
  assert.equal(wantsColours(true, { TERM: "dumb" }), false);
  assert.equal(wantsColours(true, { NO_COLOR: "1" }), false);
  assert.equal(wantsColours(true, { NO_COLOR: "" }), true);
});
