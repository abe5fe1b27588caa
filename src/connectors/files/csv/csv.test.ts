import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readAll, sourceContract } from "../../../operators/source.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { type Type, t } from "../../../types/t.ts";
import { stdin } from "../standard-streams.ts";
import { type CsvOptions, csv } from "./csv.ts";

async function read<T>(content: string | Uint8Array, options: CsvOptions & { type?: Type<T> } = {}) {
  const world = simWorld(1);
  world.env.disk.put("/in.csv", content);
  const { type, ...others } = { invalid: "side" as const, ...options };
  const source = type === undefined ? csv("/in.csv", others) : csv("/in.csv", { ...others, type });
  const { records, invalid } = await readAll<unknown>(source, world);
  return { records, invalid, issues: invalid.map(({ line, issues }) => `${line}: ${issues.join("; ")}`) };
}

const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))));

const Row = t.struct({ n: t.f64, text: t.string });
const rows = Array.from({ length: 500 }, (_, n) => ({ n, text: n % 7 === 0 ? `line\n"${n}",é` : `t${n}` }));
const content = `n,text\n${rows.map(({ n, text }) => `${n},"${text.replaceAll('"', '""')}"`).join("\n")}\n`;

sourceContract("csv", () => {
  const world = simWorld(5);
  world.env.disk.put("/in/a.csv", content);
  world.env.disk.put("/in/b.csv", content);
  world.env.disk.faults.shortReads = true;
  return {
    source: csv("/in/*.csv", { type: Row, splitSize: 700, readSize: 61 }),
    world,
    expected: [...rows, ...rows],
    checkClosed: () => assert.equal(world.env.disk.openHandles, 0),
  };
});

describe("CSV columns", () => {
  test("without a type each field is a string under its header's name", async () => {
    const { records } = await read('a,b b,__proto__\n1,"x, ""y""",z\n,é,\n');
    assert.deepEqual(
      records.map((record) => Object.entries(record as object)),
      [
        [
          ["a", "1"],
          ["b b", 'x, "y"'],
          ["__proto__", "z"],
        ],
        [
          ["a", ""],
          ["b b", "é"],
          ["__proto__", ""],
        ],
      ],
    );
  });

  test("with a type its columns are found by name, in any order, and others are left out", async () => {
    const { records } = await read("text,extra,n\nx,?,1\n", { type: Row });
    assert.deepEqual(records, [{ n: 1, text: "x" }]);
    assert.deepEqual(Object.keys(records[0] as object), ["n", "text"]);
  });

  test("without a header line the columns are those named, those of the type, or numbered", async () => {
    const header = false;
    assert.deepEqual((await read("1,x\n", { header })).records, [{ column1: "1", column2: "x" }]);
    assert.deepEqual((await read("1,x\n", { header, columns: ["n", "text"] })).records, [{ n: "1", text: "x" }]);
    assert.deepEqual((await read("1,x\n", { header, type: Row })).records, [{ n: 1, text: "x" }]);
    assert.deepEqual((await read("x,1\n", { header, type: Row, columns: ["text", "n"] })).records, [
      { n: 1, text: "x" },
    ]);
  });

  test("named columns replace what the header line says", async () => {
    assert.deepEqual((await read("A,B\n1,x\n", { columns: ["n", "text"], type: Row })).records, [{ n: 1, text: "x" }]);
    await assert.rejects(read("A,B\n1,x\n", { columns: ["n"] }), {
      code: "CSV_HEADER_INVALID",
      message: /in\.csv has 2 columns.*names 1/,
    });
  });

  test("a column that the file does not have fails with the file, the column and the nearest name", async () => {
    await assert.rejects(read("n,Text\n1,x\n", { type: Row }), {
      code: "CSV_COLUMN_MISSING",
      message: '/in.csv has no column "text"; it has "n", "Text"',
      fix: 'did you mean "Text"?',
    });
    const inUse = t.struct({ n: t.string, m: t.string });
    await assert.rejects(read("n,text\n1,x\n", { type: inUse }), {
      code: "CSV_COLUMN_MISSING",
      fix: "declare the columns that the file has; when it has no header line, say `header: false`",
    });
    await assert.rejects(read("n;text\n1;x\n", { type: Row }), {
      code: "CSV_COLUMN_MISSING",
      fix: 'say `delimiter: ";"`',
    });
    for (const header of ['"n";"text"', '"n";text', '\ufeff"n, m";"text"']) {
      await assert.rejects(read(`${header}\n1;x\n`, { type: Row }), {
        code: "CSV_HEADER_INVALID",
        message: 'the header of /in.csv has ";" after a closing quote',
        fix: 'say `delimiter: ";"`',
      });
    }
    await assert.rejects(read('"n"x,text\n1,x\n'), { message: "the header of /in.csv has text after a closing quote" });
    for (const header of ['"n" , "text"', '"n" ,text', 'n, "text"', '"n","text" ']) {
      await assert.rejects(read(`${header}\n1,x\n`, { type: Row }), {
        code: "CSV_HEADER_INVALID",
        message: "the header of /in.csv has blanks around quotes",
        fix: "say `trim: true`; if the blanks count, name the columns with the option `columns`",
      });
      assert.equal((await read(`${header}\n1,x\n`, { type: Row, trim: true })).records.length, 1);
    }
  });

  test("a header that names a column twice, or is damaged, fails with the file", async () => {
    await assert.rejects(read("a,b,a\n1,2,3\n"), {
      code: "CSV_HEADER_INVALID",
      message: /in\.csv has the column "a" twice/,
    });
    await assert.rejects(read("n,text,n\n1,2,3\n", { type: Row }), { code: "CSV_HEADER_INVALID" });
    await assert.rejects(read('a,"b\n1,2\n'), { code: "CSV_HEADER_INVALID", message: /quote that is not closed/ });
    await assert.rejects(read(bytes("a,", [0xff], "\n1,2\n")), { code: "CSV_HEADER_INVALID", message: /not UTF-8/ });
    assert.deepEqual((await read("n,x,x,text\n1,2,3,y\n", { type: Row })).records, [{ n: 1, text: "y" }]);
  });

  test("a file without records has none, whatever it is made of", async () => {
    for (const empty of ["n,text", "n,text\n", "\ufeff\r\nn,text\r\n\r\n"]) {
      assert.deepEqual((await read(empty, { type: Row })).records, [], JSON.stringify(empty));
    }
    for (const empty of ["", "\n\n", "\ufeff"]) {
      assert.deepEqual((await read(empty, { type: Row, header: false })).records, [], JSON.stringify(empty));
    }
  });

  test("a file without its header line is refused, whether or not records have a type", async () => {
    for (const empty of ["", "\n\n", "\ufeff"]) {
      for (const options of [{ type: Row }, {}, { columns: ["n", "text"] }]) {
        await assert.rejects(read(empty, options), {
          code: "CSV_HEADER_INVALID",
          message: "/in.csv is empty, where a header line is due",
        });
      }
    }
  });

  test("the header is found behind a byte order mark, comments and blank lines", async () => {
    const { records, issues } = await read('\ufeff# made "today\n\nn,text\n1,x\nbad\n', { type: Row, comment: "#" });
    assert.deepEqual(records, [{ n: 1, text: "x" }]);
    assert.deepEqual(issues, ['5: 1 field where 2 belong; "text" is missing']);
  });
});

describe("CSV cells", () => {
  const All = t.struct({
    f64: t.f64,
    f32: t.f32,
    i32: t.i32,
    i64: t.i64,
    big: t.bigint,
    bool: t.bool,
    at: t.timestamp,
    date: t.date,
    kind: t.enum("buy", "sell"),
    maybe: t.f64.nullable(),
    note: t.string.optional(),
  });
  const header = "f64,f32,i32,i64,big,bool,at,date,kind,maybe,note\n";

  test("each kind of cell becomes its value", async () => {
    const { records, issues } = await read(
      `${header}-1.5,0.1,-7,9007199254740993,123456789012345678901234567890,true,2026-01-31T09:30:00Z,2026-01-31,buy,,\n` +
        "+.5e-3,Infinity,2147483647,-9223372036854775808,-1,0,1767225600000,2026-01-31 09:30+02:00,sell,2.,x\n",
      { type: All },
    );
    assert.deepEqual(issues, []);
    assert.deepEqual(records, [
      {
        f64: -1.5,
        f32: Math.fround(0.1),
        i32: -7,
        i64: 9007199254740993n,
        big: 123456789012345678901234567890n,
        bool: true,
        at: Date.UTC(2026, 0, 31, 9, 30),
        date: new Date("2026-01-31"),
        kind: "buy",
        maybe: null,
      },
      {
        f64: 0.0005,
        f32: Number.POSITIVE_INFINITY,
        i32: 2147483647,
        i64: -(2n ** 63n),
        big: -1n,
        bool: false,
        at: 1767225600000,
        date: new Date("2026-01-31T07:30:00Z"),
        kind: "sell",
        maybe: 2,
        note: "x",
      },
    ]);
  });

  test("each cell that does not hold its kind is named with what it holds and what belongs there", async () => {
    const { records, issues } = await read(
      `${header}1e,x,2.5,9223372036854775808,1.0,yes,2026-02-30,20260105,hold,-,\n,,,,,,,,,,\n`,
      {
        type: All,
      },
    );
    assert.deepEqual(records, []);
    assert.equal(
      issues[0],
      [
        '2: column "f64": "1e" is not a number',
        'column "f32": "x" is not a number',
        'column "i32": "2.5" is not an integer from -2147483648 to 2147483647',
        'column "i64": "9223372036854775808" is not an integer of 64 bits',
        'column "big": "1.0" is not an integer',
        'column "bool": "yes" is not true or false',
        'column "at": "2026-02-30" is not a date, a date-time or epoch milliseconds',
        'column "date": "20260105" is not a date, a date-time or epoch milliseconds: as milliseconds it would be in ' +
          "another century, write 2026-01-05",
        'column "kind": "hold" is not one of buy, sell',
        'column "maybe": "-" is not a number',
      ].join("; "),
    );
    assert.match(issues[1]!, /^3: column "f64": empty, expected a number; /);
  });

  test("numbers are those that JavaScript reads, to the last bit", async () => {
    const texts = [
      "0",
      "-0",
      "0.1",
      "123456789012345.6",
      "1234567890123456789",
      "0.000001",
      "5e-324",
      "1.7976931348623157e308",
      "1E3",
      "00012",
      "4.35",
      "NaN",
      "Infinity",
      "-Infinity",
      "9007199254740993",
      "0.30000000000000004",
      "1.",
      ".5",
    ];
    const { records } = await read(`n,text\n${texts.map((text) => `${text},x\n`).join("")}`, { type: Row });
    for (const [index, text] of texts.entries())
      assert.ok(Object.is((records[index] as { n: number }).n, Number(text)), text);
    for (const text of ["", " 1", "1 ", "0x10", "1_000", "1,5", "--1", "1e5.5", "inf", "١"]) {
      assert.equal((await read(`n,text\n"${text}",x\n`, { type: Row })).invalid.length, 1, text);
    }
  });

  test("an empty cell without quotes is null or absent where the type allows, and an empty text elsewhere; quotes make it a text", async () => {
    const type = t.struct({ a: t.string.nullable(), b: t.string, c: t.string.optional() });
    const { records } = await read('a,b,c\n,,\n"","",""\n', { type });
    assert.deepEqual(records, [
      { a: null, b: "" },
      { a: "", b: "", c: "" },
    ]);
  });

  test("other texts can stand for null", async () => {
    const type = t.struct({ a: t.f64.nullable(), b: t.string.nullable() });
    const { records } = await read('a,b\nNA,NULL\n1,"NA"\nNULL,\n', { type, nulls: ["NA", "NULL"] });
    assert.deepEqual(records, [
      { a: null, b: null },
      { a: 1, b: "NA" },
      { a: null, b: "" },
    ]);
  });

  test("dialects: semicolons and decimal commas, tabs, escapes, other quotes, blanks around cells", async () => {
    const eu = await read("n;text\n1,5;x\n-0,25;y,z\n2.5;bad\n", { type: Row, delimiter: ";", decimal: "," });
    assert.deepEqual(eu.records, [
      { n: 1.5, text: "x" },
      { n: -0.25, text: "y,z" },
    ]);
    assert.deepEqual(eu.issues, ['4: column "n": "2.5" is not a number']);
    assert.deepEqual((await read("n\ttext\n1\t x \n", { type: Row, delimiter: "\t" })).records, [
      { n: 1, text: " x " },
    ]);
    assert.deepEqual((await read('n , text\n 1 , " x " \n', { type: Row, trim: true })).records, [
      { n: 1, text: " x " },
    ]);
    assert.deepEqual(
      (await read("n,text\n1,'it''s \\'x\\' \\\\'\n", { type: Row, quote: "'", escape: "\\" })).records,
      [{ n: 1, text: "it's 'x' \\" }],
    );
    assert.deepEqual((await read('n,text\n1,say "hi"\n', { type: Row, quote: false })).records, [
      { n: 1, text: 'say "hi"' },
    ]);
  });

  test("ragged rows are taken when the options say so", async () => {
    assert.deepEqual((await read("a,b,c\n1,2,3\n4\n5,6\n", { ragged: true })).records, [
      { a: "1", b: "2", c: "3" },
      { a: "4", b: "", c: "" },
      { a: "5", b: "6", c: "" },
    ]);
    const { records, invalid } = await read("a,b,c\n1\n1,2,3,4\n", { ragged: true });
    assert.deepEqual(invalid, []);
    assert.deepEqual(records, [
      { a: "1", b: "", c: "" },
      { a: "1", b: "2", c: "3" },
    ]);
  });
});

describe("bad CSV rows", () => {
  test("each is reported with file, line, text and reason, and the rows around it are read", async () => {
    const text = bytes(
      'n,text\n1,"two\nlines"\nx,bad number\n2,too,many\n3\n4,',
      [0],
      "nul\n5,",
      [0xc3, 0x28],
      'utf\n6,mid"quote\n7,"after"quote\n8,ok\n9,"unclosed\n10,x\n',
    );
    const { records, invalid, issues } = await read(text, { type: Row });
    assert.deepEqual(records, [
      { n: 1, text: "two\nlines" },
      { n: 8, text: "ok" },
    ]);
    assert.deepEqual(issues, [
      '4: column "n": "x" is not a number',
      "5: 3 fields where 2 belong",
      '6: 1 field where 2 belong; "text" is missing',
      "7: a NUL byte",
      "8: bytes that are not UTF-8 (see the option `encoding`)",
      "9: a quote inside a field that does not begin with one",
      "10: text after a closing quote",
      "12: a quote that is not closed; lines 12–13",
    ]);
    assert.ok(invalid.every(({ file }) => file === "/in.csv"));
    assert.deepEqual(invalid.map(({ raw }) => raw).slice(0, 3), ["x,bad number", "2,too,many", "3"]);
    assert.equal(invalid.at(-1)?.raw, '9,"unclosed\n10,x');
  });

  test("blanks around a value that does not fit are pointed out, unless they are trimmed", async () => {
    const { issues } = await read("n,text\n 1,a\n2\t,b\n3 x,c\n", { type: Row });
    const hint = "say `trim: true` if the blanks do not count";
    assert.deepEqual(issues, [
      `2: column "n": " 1" is not a number: ${hint}`,
      `3: column "n": "2\\t" is not a number: ${hint}`,
      '4: column "n": "3 x" is not a number',
    ]);
    const trimmed = await read('n,text\n 1 ,a\n" 2",b\n', { type: Row, trim: true });
    assert.deepEqual(trimmed.issues, ['3: column "n": " 2" is not a number']);
  });

  test("with one line a record, an unclosed quote costs one line only", async () => {
    const { records, issues } = await read('n,text\n1,"open\n2,x\n', { type: Row, multiline: false });
    assert.deepEqual(records, [{ n: 2, text: "x" }]);
    assert.deepEqual(issues, ["2: a quote that is not closed"]);
  });

  test("a record over the bound is refused with its line and the bound, and not kept, however it is read", async () => {
    const long = "y".repeat(5_000);
    for (const readSize of [64, 1_000, 100_000]) {
      const options = { type: Row, recordSizeMax: 1_000, readSize };
      const { records, invalid, issues } = await read(
        `n,text\n1,a\n2,${long}\n3,"${long}\n${long}"\n4,b\n5,${long}`,
        options,
      );
      assert.deepEqual(
        records,
        [
          { n: 1, text: "a" },
          { n: 4, text: "b" },
        ],
        `${readSize}`,
      );
      const issue = "longer than 1000 B, the limit of one record (option recordSizeMax)";
      assert.deepEqual(issues, [`3: ${issue}`, `4: ${issue}; lines 4–5`, `7: ${issue}`]);
      assert.ok(invalid.every(({ raw }) => String(raw).length <= 1_100));
    }
  });

  test("a record of exactly the bound is read", async () => {
    const { records, invalid } = await read(`n,text\n1,${"y".repeat(97)}\n2,${"z".repeat(98)}\n`, {
      type: Row,
      recordSizeMax: 100,
      readSize: 7,
    });
    assert.equal(records.length, 1);
    assert.equal(invalid.length, 1);
  });

  test("files that are no UTF-8 text at all say what they are", async () => {
    await assert.rejects(read(bytes([0xff, 0xfe], "n\0")), {
      code: "ENCODING_UNSUPPORTED",
      message: /in\.csv is UTF-16/,
    });
    for (const encoding of ["utf-16le", "utf-16be"]) {
      const text = Buffer.from("n,text\n1,x\n", "utf-16le");
      await assert.rejects(read(encoding === "utf-16le" ? text : text.swap16()), {
        code: "ENCODING_UNSUPPORTED",
        message: /in\.csv is UTF-16 without a byte order mark/,
        fix: `say \`encoding: "${encoding}"\``,
      });
    }
    for (const mark of [
      [0xff, 0xfe, 0, 0],
      [0, 0, 0xfe, 0xff],
    ]) {
      await assert.rejects(read(bytes(mark, "n\0\0\0")), { message: /in\.csv is UTF-32/, fix: "convert it to UTF-8" });
    }
    await assert.rejects(read(bytes([0x1f, 0x8b, 8, 0])), {
      code: "ENCODING_UNSUPPORTED",
      message: /compressed with gzip, but its name/,
      fix: /^rename it to end with "\.gz", or set the option `compression: "gzip"`$/,
    });
  });

  test("types that a cell cannot hold are refused with the column", async () => {
    await assert.rejects(read("a\n1\n", { type: t.struct({ a: t.list(t.f64) }) }), {
      code: "CSV_TYPE_UNSUPPORTED",
      message: 'column "a": a CSV cell cannot hold list',
    });
    await assert.rejects(read("a\n1\n", { type: t.f64 }), { code: "CSV_TYPE_UNSUPPORTED" });
  });

  test("options that cannot work are refused where they are written", () => {
    const refused = (options: CsvOptions, message: RegExp): void => {
      assert.throws(() => csv("x", options), { code: "CONNECTOR_OPTION_INVALID", message });
    };
    refused({ delimiter: "ab" }, /delimiter: "ab"/);
    refused({ delimiter: "é" }, /delimiter: "é"/);
    refused({ delimiter: '"' }, /quote: "\\"" is the delimiter too/);
    refused({ columns: ["a", "b", "a"] }, /columns: "a" is there twice/);
    refused({ decimal: "," }, /decimal: "," is the delimiter too/);
    refused({ splitSize: "lots" }, /splitSize: "lots"/);
    refused({ roll: { rows: 0 } }, /roll\.rows: 0/);
    assert.throws(() => csv([]), { code: "CONNECTOR_OPTION_INVALID" });
  });
});

describe("what stands around the records", () => {
  const lines = 'Report of "May\r\ncreated, 5\r\nof us\nname;price\nACME;1\nBOLT;2\n';
  const options = { skipLines: 3, delimiter: ";" };

  test("lines at the start of a file are passed over, whatever is in them and however the file is cut", async () => {
    const expected = [
      { name: "ACME", price: "1" },
      { name: "BOLT", price: "2" },
    ];
    for (const text of [lines, `\ufeff${lines}`]) {
      for (const [splitSize, multiline, parallelism] of [
        ["16mb", true, 1],
        [5, true, 2],
        [5, false, 3],
      ] as const) {
        const world = simWorld(1);
        world.env.disk.put("/f", text);
        const source = csv("/f", { ...options, splitSize, multiline, readSize: 3 });
        const { records } = await readAll<unknown>(source, world, { parallelism });
        assert.deepEqual(
          records.map((row) => JSON.stringify(row)).sort(),
          expected.map((row) => JSON.stringify(row)),
        );
      }
    }
    for (const readSize of [1, 2, 4, 5, 19, 20]) {
      for (const text of [lines, lines.replaceAll("\r", ""), lines.replaceAll("\n", "\r\n").replaceAll("\r\r", "\r")]) {
        assert.deepEqual((await read(text, { ...options, readSize })).records, expected, `${readSize}`);
      }
    }
    assert.deepEqual((await read("x\ny\n1,2\n", { skipLines: 2, header: false })).records, [
      { column1: "1", column2: "2" },
    ]);
  });

  test("and are counted as lines of the file", async () => {
    const type = t.struct({ name: t.string, price: t.f64 });
    const { invalid } = await read(`${lines}C;x\n`, { ...options, type });
    assert.deepEqual(
      invalid.map(({ line }) => line),
      [7],
    );
  });

  test("a first record without an end is refused once it is too long, and the rest of the file not read", async () => {
    const world = simWorld(1);
    world.env.disk.put("/f", "x".repeat(10_000));
    let reads = 0;
    world.env.disk.faults.fail = (operation) => {
      if (operation === "read") reads += 1;
      return null;
    };
    const source = csv("/f", { recordSizeMax: 300, readSize: 100 });
    await assert.rejects(readAll<unknown>(source, world), { code: "RECORD_TOO_LONG", message: /\/f .* 300 bytes/ });
    assert.ok(reads < 10, `${reads} reads`);
  });

  test("a file that has no more lines than that lacks its header", async () => {
    const fails = { code: "CSV_HEADER_INVALID", message: /nothing after its first 9 lines/ };
    await assert.rejects(read(lines, { skipLines: 9 }), fails);
    const world = simWorld(1);
    world.env.disk.put(stdin, "");
    await assert.rejects(readAll<unknown>(csv(stdin), world), {
      message: "standard input is empty, where a header line is due",
      fix: "see that the program before the pipe writes a header line, or say `header: false`",
    });
    assert.throws(() => csv("/f", { skipLines: -1 }), { code: "CONNECTOR_OPTION_INVALID" });
  });

  test("a header that the delimiter does not take apart is refused, with the one that does", async () => {
    for (const [text, sign] of [
      ["a;b\n1;2\n", '";"'],
      ["a\tb\n1\t2\n", '"\\\\t"'],
      ["a|b\n", '"|"'],
    ] as const) {
      const refused = { code: "CSV_HEADER_INVALID", fix: new RegExp(`delimiter: ${sign.replace("|", "\\|")}`) };
      await assert.rejects(read(text, {}), refused);
      await assert.rejects(read(text, { type: t.struct({ a: t.string.optional() }) }), refused);
    }
    assert.deepEqual((await read("a;b\nx\n", { columns: ["v"] })).records, [{ v: "x" }]);
    assert.deepEqual((await read("a;b\nx\n", { type: t.struct({ "a;b": t.string }) })).records, [{ "a;b": "x" }]);
  });

  test("a header with blanks around its names is refused without `trim`, unless quotes or `columns` say so", async () => {
    for (const text of ["a, b\n1, 2\n", "a,b \n1,2\n", "a,\tb\n1,2\n"]) {
      const refused = { code: "CSV_HEADER_INVALID", message: /blanks around the name/, fix: /trim: true/ };
      await assert.rejects(read(text, {}), refused);
      assert.deepEqual((await read(text, { trim: true })).records, [{ a: "1", b: "2" }]);
    }
    assert.deepEqual((await read('a," b"\n1, 2\n', {})).records, [{ a: "1", " b": " 2" }]);
    assert.deepEqual((await read("a, b\n1, 2\n", { columns: ["a", " b"] })).records, [{ a: "1", " b": " 2" }]);
    assert.deepEqual((await read("1, 2\n", { header: false })).records, [{ column1: "1", column2: " 2" }]);
  });

  test("blanks around quotes and names are told, with `trim`", async () => {
    for (const text of ['a,b\n1, "x"\n', 'a,b\n"1" ,x\n']) {
      const { issues } = await read(text, {});
      assert.match(issues.join(), /blanks stand around quotes: say `trim: true`/);
      assert.deepEqual((await read(text, { trim: true })).records, [{ a: "1", b: "x" }]);
    }
    assert.doesNotMatch((await read('a,b\n1,x"y"\n', {})).issues.join(), /trim/);
    for (const b of [t.string, t.string.optional()]) {
      await assert.rejects(read("a, b\n1,2\n", { type: t.struct({ b }) }), {
        code: "CSV_COLUMN_MISSING",
        fix: /trim: true/,
      });

      test("a 32-bit number is the nearest one, and none beyond their range; infinities have to be written", async () => {
        const type = t.struct({ n: t.f32 });
        const { records, invalid } = await read(
          "n\n0.1\n3.5e38\n-1e39\n400000000000000000000000000000000000000\nInfinity\n",
          {
            type,
          },
        );
        assert.deepEqual(records, [{ n: Math.fround(0.1) }, { n: Number.POSITIVE_INFINITY }]);
        assert.equal(invalid.length, 3);
      });

      test("the first of many wide rows keeps its quotes: doubled ones, and an empty text where null is empty", async () => {
        const names = Array.from({ length: 70 }, (_, n) => `c${n}`);
        const row = names.map((_, n) => (n % 2 === 0 ? '"a""b"' : n % 3 === 0 ? '""' : "")).join(",");
        const type = t.struct(Object.fromEntries(names.map((name) => [name, t.string.nullable()])));
        const expected = Object.fromEntries(
          names.map((name, n) => [name, n % 2 === 0 ? 'a"b' : n % 3 === 0 ? "" : null] as const),
        );
        const { records } = await read(`${names.join(",")}\n${row}\n${row}\n`, { type });
        assert.deepEqual(records, [expected, expected]);
      });

      test("an escaped line break is a line, and an escaped NUL a bad row", async () => {
        const type = t.struct({ n: t.f64, text: t.string });
        const options = { type, escape: "\\" };
        const { records, invalid } = await read('n,text\n1,"a\\\nb"\nx,c\n2,"\\\0"\n', options);
        assert.deepEqual(records, [{ n: 1, text: "a\nb" }]);
        assert.deepEqual(
          invalid.map(({ line, issues }) => [line, issues.join()]),
          [
            [4, 'column "n": "x" is not a number'],
            [5, "a NUL byte"],
          ],
        );
      });

      test("a cell that does not fit its type is named, whatever stands in the quotes of others", async () => {
        const type = t.struct({ n: t.f64, text: t.string });
        const { records, invalid } = await read('n,text\nx,"a, ""b"""\n1,c\n', { type });
        assert.deepEqual(records, [{ n: 1, text: "c" }]);
        assert.deepEqual(invalid[0]?.issues, ['column "n": "x" is not a number']);
      });
    }
  });
});
