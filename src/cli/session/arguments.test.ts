import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError } from "../../base/errors.ts";
import { commandHelp, commandLineParse, lastValue, nextCommand, overviewHelp, pairs } from "./arguments.ts";
import { COMMANDS } from "./commands.ts";

const parse = (...args: string[]) => commandLineParse(args, COMMANDS);

function refusal(...args: string[]): string {
  try {
    parse(...args);
  } catch (error) {
    assert.ok(error instanceof EngineError);
    return `${error.code}: ${error.message} (${error.fix})`;
  }
  return assert.fail(`accepted: ${args.join(" ")}`);
}

test("a command takes its argument and options in any order, in both spellings", () => {
  const line = parse("run", "--local", "job.ts", "--param", "a=1", "--param=b=x=y", "-Dk=v", "-D", "l=w", "--json");
  assert.equal(line.command.name, "run");
  assert.equal(line.positional, "job.ts");
  assert.deepEqual([...line.flags], ["local", "json"]);
  assert.deepEqual(pairs(line, "param"), { a: "1", b: "x=y" });
  assert.deepEqual(pairs(line, "D"), { k: "v", l: "w" });
});

test("commands of two words are found", () => {
  assert.equal(parse("memory", "explain").command.name, "memory explain");
  assert.ok(parse("config", "show", "--origin").flags.has("origin"));
});

test("what run takes, explain takes as well", () => {
  assert.ok(parse("explain", "job.ts", "--local").flags.has("local"));
  assert.equal(parse("memory", "explain", "job.ts", "--local").positional, "job.ts");
  assert.equal(parse("memory", "explain").positional, "");
});

test("of several values for one option, and of pairs with one name, the last wins", () => {
  const line = parse("run", "job.ts", "--parallelism", "1", "--parallelism", "3", "--param", "a=1", "--param", "a=2");
  assert.equal(lastValue(line, "parallelism"), "3");
  assert.equal(lastValue(line, "config"), null);
  assert.deepEqual(pairs(line, "param"), { a: "2" });
});

test("a negative number is a value, the next option is not", () => {
  assert.equal(lastValue(parse("run", "job.ts", "--parallelism", "-1"), "parallelism"), "-1");
  assert.match(refusal("run", "job.ts", "--config", "--json"), /^CLI_OPTION_VALUE: --config needs a value/);
  assert.equal(lastValue(parse("run", "job.ts", "--config=--odd"), "config"), "--odd");
});

test("a value that may be left out is none of the options that follow; what has to be given is asked for", () => {
  const stop = (...args: string[]) => parse("stop", "--run", "dir", ...args);
  assert.equal(lastValue(stop("--savepoint", "there", "--drain"), "savepoint"), "there");
  const bare = stop("--savepoint", "--drain");
  assert.deepEqual([...bare.flags].sort(), ["drain", "savepoint"]);
  assert.ok(stop("--drain", "--savepoint").flags.has("savepoint"));
  assert.match(refusal("stop", "--drain"), /^CLI_OPTION_MISSING: millrace stop needs --run \(write .* --run dir\)/);
  assert.equal(parse("savepoint", "--run", "dir", "there").positional, "there");
  assert.equal(parse("savepoint", "dispose", "there").command.name, "savepoint dispose");
});

test("what is mistyped is refused, with what was probably meant", () => {
  assert.match(
    refusal("rum", "job.ts"),
    /^CLI_UNKNOWN_COMMAND: there is no command "rum" \(did you mean npx millrace run\?\)/,
  );
  assert.match(refusal("memory", "explian"), /"memory explian" \(did you mean npx millrace memory explain\?\)/);
  assert.match(refusal("config"), /did you mean npx millrace config show\?/);
  for (const given of [["confg"], ["confg", "show"], ["config", "shwo"]])
    assert.match(refusal(...given), /did you mean npx millrace config show\?/);
  assert.match(refusal("jobs/market.ts"), /did you mean npx millrace run jobs\/market.ts\?/);
  assert.match(refusal("version"), /did you mean npx millrace --version\?/);
  assert.match(
    refusal("frobnicate"),
    /commands are: run, dev, explain, test, checkpoints, state ls, state get, state export, state diff, savepoint, savepoint dispose, stop, cancel, memory explain, config show, init/,
  );
  assert.match(
    refusal("run", "job.ts", "--paralelism", "2"),
    /^CLI_UNKNOWN_OPTION: .*--paralelism \(did you mean --parallelism\?\)/,
  );
  for (const cut of ["--paralel", "--parallel", "--paralell"])
    assert.match(refusal("run", "job.ts", cut, "2"), /\(did you mean --parallelism\?\)/);
  assert.match(refusal("config", "show", "--local"), /^CLI_UNKNOWN_OPTION/);
  assert.match(
    refusal("run", "job.ts", "-x"),
    /^CLI_UNKNOWN_OPTION: millrace run has no option -x \(see npx millrace run --help\)/,
  );
});

test("of options that exclude each other one is taken", () => {
  for (const [left, right] of [
    ["--dot", "--mermaid"],
    ["--dot", "--json"],
    ["--mermaid", "--json"],
  ] as const) {
    const either = `CLI_OPTIONS_EXCLUSIVE: millrace explain takes either ${left} or ${right} (leave one of them out)`;
    assert.equal(refusal("explain", "job.ts", left, right), either);
    assert.equal(refusal("explain", "job.ts", right, left), either);
  }
  assert.ok(parse("explain", "job.ts", "--dot", "--local").flags.has("dot"));
});

test("an unknown option may be meant for the job", () => {
  const meant = (...args: string[]) => /write (.*); else see/.exec(refusal("run", "job.ts", ...args))?.[1];
  assert.equal(meant("--in=data"), "--param in=data");
  assert.equal(meant("--out", "my data"), "--param out=value");
  assert.equal(meant("--title=my data"), "--param 'title=my data'");
  assert.match(refusal("config", "show", "--in=data"), /\(see npx millrace config show --help\)$/);
});

test("a hint at another command can be typed, with what the job is given", () => {
  const next = (...args: string[]) => nextCommand(parse("run", ...args), "explain");
  assert.equal(next("job.ts", "--json", "-D", "a=b"), "npx millrace explain job.ts");
  assert.equal(
    next("my job.ts", "--param", "a=1", "--parallelism=2", "--param", "b=it's $5"),
    "npx millrace explain 'my job.ts' --param a=1 --param 'b=it'\\''s $5' --parallelism 2",
  );
  assert.equal(next("job.ts", "--config=--odd"), "npx millrace explain job.ts --config=--odd");
});

test("arguments too many, too few and without their value are refused", () => {
  assert.match(refusal("run"), /^CLI_ARGUMENT_MISSING: millrace run needs job.ts/);
  assert.match(refusal("run", "job.ts", "count=3"), /^CLI_ARGUMENT_EXTRA: .*"count=3" \(.*--param name=value/);
  assert.match(refusal("config", "show", "x"), /^CLI_ARGUMENT_EXTRA/);
  assert.match(refusal("memory", "explain", "job.ts", "x"), /^CLI_ARGUMENT_EXTRA/);
  assert.match(refusal("run", "job.ts", "--local=yes"), /^CLI_OPTION_VALUE: --local takes no value/);
  assert.match(
    refusal("run", "job.ts", "--param"),
    /^CLI_OPTION_VALUE: --param needs a value \(write --param name=value\)/,
  );
  assert.throws(() => pairs(parse("run", "job.ts", "--param", "count"), "param"), { code: "CLI_OPTION_VALUE" });
});

test("--help needs nothing else", () => {
  assert.equal(parse("run", "--help").help, true);
  assert.equal(parse("config", "show", "-h").help, true);
  assert.equal(parse("memory", "--help").command.name, "memory explain");
  assert.equal(parse("config", "-h").help, true);
});

test("each help names every option, and has an example that parses", () => {
  for (const command of COMMANDS) {
    const text = commandHelp(command, "docs/cli.md");
    for (const option of Object.keys(command.options)) assert.match(text, new RegExp(`^ {2}--?${option}\\b`, "m"));
    const [, example = ""] = /^example {2}npx millrace (.+)$/m.exec(text) ?? [];
    assert.equal(parse(...example.split(" ")).command, command);
  }
});

test("the overview lists every command with its summary", () => {
  const text = overviewHelp(COMMANDS, "docs/cli.md");
  for (const { name, summary } of COMMANDS)
    assert.match(text, new RegExp(`^ {2}${name}\\b.*${RegExp.escape(summary)}$`, "m"));
});
