"""Files with old and odd forms, byte by byte, and what must become of each of their values, worked out by hand."""

import struct
from collections.abc import Iterator

from foreign import cells as c
from foreign import thrift as t
from foreign.cells import Cell, Expected
from foreign.thrift import Chunk, Entry, Node

UTF8, MAP, MAP_KEY_VALUE, LIST, ENUM, DECIMAL, DATE = 0, 1, 2, 3, 4, 5, 6
TIME_MILLIS, TIME_MICROS, TIMESTAMP_MILLIS, TIMESTAMP_MICROS = 7, 8, 9, 10
UINT_8, UINT_16, UINT_32, UINT_64, INT_8, INT_16, INT_32, INT_64, JSON, BSON, INTERVAL = range(11, 22)

MILLIS, MICROS, NANOS = {1: {}}, {2: {}}, {3: {}}
STRING: t.Struct = {1: {}}


def i32(value: int) -> bytes:
    """An INT32."""
    return struct.pack("<i", value)


def i64(value: int) -> bytes:
    """An INT64."""
    return struct.pack("<q", value)


def f64(value: float) -> bytes:
    """A DOUBLE."""
    return struct.pack("<d", value)


def bits64(value: int) -> bytes:
    """A DOUBLE by its bits."""
    return struct.pack("<Q", value)


def twos(value: int, size: int) -> bytes:
    """A big-endian number in two's complement."""
    return value.to_bytes(size, "big", signed=True)


# A column, its values (None for NULL), and its cells.
Flat = tuple[Node, str, list[bytes | None], list[Cell]]


def flat_file(columns: list[Flat], findings: list[tuple[str, str, int, int]] | None = None) -> tuple[bytes, Expected]:
    """A file of columns that are not nested, padded with NULL to equal lengths."""
    rows = max(len(values) for _, _, values, _ in columns)
    chunks, shown = [], []
    for node, _, values, cells in columns:
        assert len(values) == len(cells), node.name
        padded = values + [None] * (rows - len(values))
        entries: list[Entry] = [(0, int(value is not None), value) for value in padded]
        if node.repetition == t.REQUIRED:
            entries = [(0, 0, value) for value in padded]
        # Pages of odd lengths, so that no two columns end theirs in the same row.
        size = 1 + len(node.name) % 5
        chunks.append(Chunk([entries[at : at + size] for at in range(0, rows, size)]))
        shown.append(cells + [None] * (rows - len(cells)))
    nodes = [node for node, _, _, _ in columns]
    expected = Expected(
        [(node.name, declared) for node, declared, _, _ in columns],
        [list(row) for row in zip(*shown)],
        findings or [],
    )
    return t.write(nodes, [(rows, chunks)]), expected


def texts(values: list[str]) -> list[Cell]:
    """TEXT cells."""
    return ["t" + value for value in values]


def decimals() -> tuple[bytes, Expected]:
    """Every physical type a DECIMAL can have, of every size."""
    wide, digits = 10**75 + 1, str(10**75 + 1)
    huge = 3 * 2**800
    return flat_file(
        [
            (
                Node("old 9", physical=t.INT32, converted=DECIMAL, precision=9, scale=2),
                "TEXT",
                [i32(0), i32(-5), i32(999_999_999), i32(-(2**31)), None],
                [*texts(["0.00", "-0.05", "9999999.99", "-21474836.48"]), None],
            ),
            (
                Node("new 18", physical=t.INT64, converted=DECIMAL, precision=18, scale=18, logical={5: {1: 18, 2: 18}}),
                "TEXT",
                [i64(1), i64(-(2**63)), i64(2**63 - 1)],
                texts(["0.000000000000000001", "-9.223372036854775808", "9.223372036854775807"]),
            ),
            (
                Node("scale 0", physical=t.INT64, converted=DECIMAL, precision=18, scale=0),
                "TEXT",
                [i64(-7)],
                texts(["-7"]),
            ),
            (
                Node("fixed 5", physical=t.FIXED, length=3, converted=DECIMAL, precision=5, scale=1),
                "TEXT",
                [twos(-1, 3), twos(99_999, 3)],
                texts(["-0.1", "9999.9"]),
            ),
            (
                Node("fixed 76", physical=t.FIXED, length=32, converted=DECIMAL, precision=76, scale=38),
                "TEXT",
                [twos(wide, 32), twos(-wide, 32), twos(-(2**255), 32)],
                texts(
                    [
                        f"{digits[:-38]}.{digits[-38:]}",
                        f"-{digits[:-38]}.{digits[-38:]}",
                        c.decimal_text(-(2**255), 38),
                    ]
                ),
            ),
            (
                Node("bytes 38", physical=t.BYTE_ARRAY, converted=DECIMAL, precision=38, scale=3),
                "TEXT",
                [twos(1, 1), twos(-129, 2), twos(10**37, 16), b"\0" * 20 + b"\x7f", b"\xff" * 20],
                texts(["0.001", "-0.129", "1" + "0" * 34 + ".000", "0.127", "-0.001"]),
            ),
            (
                Node("bytes 400", physical=t.BYTE_ARRAY, converted=DECIMAL, precision=400, scale=0),
                "TEXT",
                [twos(huge, 102), twos(-huge, 102), b"", b"\x01" * 1025, None],
                [*texts([str(huge), str(-huge)]), "b", "b" + "01" * 1025, None],
            ),
        ],
        [("bytes 400", "misfit", 2, 3)],
    )


def old_annotations() -> tuple[bytes, Expected]:
    """The annotations of before 2018, which know UTC only."""
    node = lambda name, physical, converted, length=None: Node(  # noqa: E731
        name, physical=physical, converted=converted, length=length
    )
    return flat_file(
        [
            (node("utf8", t.BYTE_ARRAY, UTF8), "TEXT", [b"a", b"", b"\xff"], ["ta", "t", "Tff"]),
            (node("enum", t.BYTE_ARRAY, ENUM), "TEXT", [b"RED"], ["tRED"]),
            (node("json", t.BYTE_ARRAY, JSON), "TEXT", [b'{"a": 1.0}'], ['t{"a": 1.0}']),
            (node("bson", t.BYTE_ARRAY, BSON), "BLOB", [b"\x05\0\0\0\0"], ["b0500000000"]),
            (node("date", t.INT32, DATE), "TEXT", [i32(-1)], ["t1969-12-31"]),
            (node("time ms", t.INT32, TIME_MILLIS), "TEXT", [i32(1)], ["t00:00:00.001Z"]),
            (node("time us", t.INT64, TIME_MICROS), "TEXT", [i64(86_399_999_999)], ["t23:59:59.999999Z"]),
            (node("at ms", t.INT64, TIMESTAMP_MILLIS), "TEXT", [i64(-1)], ["t1969-12-31T23:59:59.999Z"]),
            (node("at us", t.INT64, TIMESTAMP_MICROS), "TEXT", [i64(0)], ["t1970-01-01T00:00:00.000000Z"]),
            (node("u8", t.INT32, UINT_8), "INTEGER", [i32(255)], ["i255"]),
            (node("u16", t.INT32, UINT_16), "INTEGER", [i32(65_535)], ["i65535"]),
            (node("u32", t.INT32, UINT_32), "INTEGER", [i32(-1)], ["i4294967295"]),
            (
                node("u64", t.INT64, UINT_64),
                "",
                [i64(2**63 - 1), i64(-(2**63)), i64(-1)],
                ["i9223372036854775807", "t9223372036854775808", "t18446744073709551615"],
            ),
            # Wider than the annotation says: the number stays.
            (node("i8", t.INT32, INT_8), "INTEGER", [i32(-128), i32(300)], ["i-128", "i300"]),
            (node("i64", t.INT64, INT_64), "INTEGER", [i64(-(2**63))], ["i-9223372036854775808"]),
            (
                node("interval", t.FIXED, INTERVAL, 12),
                "TEXT",
                [struct.pack("<III", 14, 3, 4_500), b"\xff" * 12],
                ["tP14M3DT4.500S", "tP4294967295M4294967295DT4294967.295S"],
            ),
            (Node("plain", t.REQUIRED, t.BYTE_ARRAY), "BLOB", [b"a", b"", b"\0"], ["b61", "b", "b00"]),
        ],
        [("utf8", "invalid-text", 1, 3), ("u64", "large-integer", 2, 2)],
    )


def times() -> tuple[bytes, Expected]:
    """Dates and times of all units at the ends of what they hold."""
    low, high = -(2**63), 2**63 - 1

    def at(name: str, utc: bool, unit: t.Struct, cells: list[str]) -> Flat:
        node = Node(name, physical=t.INT64, logical={8: {1: utc, 2: unit}})
        return (node, "TEXT", [i64(low), i64(high), i64(-1)], texts(cells))

    return flat_file(
        [
            at(
                "ms",
                True,
                MILLIS,
                ["-292275055-05-16T16:47:04.192Z", "+292278994-08-17T07:12:55.807Z", "1969-12-31T23:59:59.999Z"],
            ),
            at(
                "us",
                False,
                MICROS,
                ["-290308-12-21T19:59:05.224192", "+294247-01-10T04:00:54.775807", "1969-12-31T23:59:59.999999"],
            ),
            at(
                "ns",
                True,
                NANOS,
                [
                    "1677-09-21T00:12:43.145224192Z",
                    "2262-04-11T23:47:16.854775807Z",
                    "1969-12-31T23:59:59.999999999Z",
                ],
            ),
            (
                Node("date", physical=t.INT32, converted=DATE, logical={6: {}}),
                "TEXT",
                [i32(-(2**31)), i32(2**31 - 1), i32(-719_528), i32(-719_529), i32(2_932_896), i32(2_932_897)],
                texts(
                    ["-5877641-06-23", "+5881580-07-11", "0000-01-01", "-0001-12-31", "9999-12-31", "+10000-01-01"]
                ),
            ),
            (
                Node("time ms", physical=t.INT32, logical={7: {1: False, 2: MILLIS}}),
                "TEXT",
                [i32(86_400_000), i32(-1), i32(2**31 - 1)],
                texts(["24:00:00.000", "-00:00:00.001", "596:31:23.647"]),
            ),
            (
                Node("time ns", physical=t.INT64, logical={7: {1: True, 2: NANOS}}),
                "TEXT",
                [i64(high), i64(low)],
                texts(["2562047:47:16.854775807Z", "-2562047:47:16.854775808Z"]),
            ),
            (
                Node("int96", physical=t.INT96),
                "TEXT",
                [
                    struct.pack("<qi", 1, 2_440_588),
                    struct.pack("<qi", 0, 0),
                    struct.pack("<qi", 86_399_999_999_999, 5_373_484),
                    struct.pack("<qi", high, 2**31 - 1),
                ],
                texts(
                    [
                        "1970-01-01T00:00:00.000000001",
                        "-4713-11-24T00:00:00.000000000",
                        "9999-12-31T23:59:59.999999999",
                        "+5875190-09-12T23:47:16.854775807",
                    ]
                ),
            ),
        ]
    )


def numbers() -> tuple[bytes, Expected]:
    """Floating-point numbers to the bit, and what has no number."""
    half = lambda bits: struct.pack("<H", bits)  # noqa: E731
    inf = float("inf")
    doubles = [0.0, -0.0, 1.0, 5e-324, 1.7976931348623157e308, inf, -inf, 0.1, 2.0**53 + 2]
    return flat_file(
        [
            (
                Node("d", physical=t.DOUBLE),
                "REAL",
                [*map(f64, doubles), bits64(0x7FF8000000000000), bits64(0xFFF0000000000001)],
                [*map(c.real, doubles), None, None],
            ),
            (
                Node("f", physical=t.FLOAT),
                "REAL",
                [struct.pack("<f", 0.1), struct.pack("<f", -inf), struct.pack("<f", float("nan"))],
                [c.real(0.10000000149011612), c.real(-inf), None],
            ),
            (
                Node("h", physical=t.FIXED, length=2, logical={15: {}}),
                "REAL",
                [half(0x3C00), half(0xC580), half(1), half(0x8000), half(0xFC00), half(0x7E00), half(0x7BFF)],
                [*map(c.real, [1.0, -5.5, 2.0**-24, -0.0, -inf]), None, c.real(65_504.0)],
            ),
            (
                Node("b", physical=t.BOOLEAN),
                "INTEGER",
                [b"\1", b"\0", None, b"\1"],
                ["i1", "i0", None, "i1"],
            ),
        ],
        [("d", "nan-became-null", 2, 10), ("f", "nan-became-null", 1, 3), ("h", "nan-became-null", 1, 6)],
    )


def odd_types() -> tuple[bytes, Expected]:
    """Annotations that few or none know, and those that say nothing about the class."""
    return flat_file(
        [
            (
                Node("future", physical=t.BYTE_ARRAY, logical={99: {}}),
                "BLOB",
                [b"x"],
                ["b78"],
            ),
            (Node("future int", physical=t.INT64, logical={99: {1: 7}}), "INTEGER", [i64(7)], ["i7"]),
            (Node("shape", physical=t.BYTE_ARRAY, logical={17: {}}), "BLOB", [b"\1\1\0\0\0"], ["b0101000000"]),
            (Node("nothing", physical=t.INT32, logical={11: {}}), "", [None, None], [None, None]),
            (
                Node("uuid", physical=t.FIXED, length=16, logical={14: {}}),
                "TEXT",
                [bytes(range(0, 256, 17))],
                ["t00112233-4455-6677-8899-aabbccddeeff"],
            ),
            (Node("fixed", physical=t.FIXED, length=3), "BLOB", [b"abc", b"\0\0\0"], ["b616263", "b000000"]),
        ]
    )


def names() -> tuple[bytes, Expected]:
    """Names that SQLite takes for one, that hide the rowid, and that no program would choose."""
    given = ["a", "A", "a", "", "", "rowid", "_ROWID_", "oid", 'q"u"o', "a b;--", "ä", "Ä", "nul\0byte", "a_2", "select"]
    made = ["a", "A_3", "a_4", "", "_2", "rowid", "_ROWID_", "oid", 'q"u"o', "a b;--", "ä", "Ä", "nul\ufffdbyte",
            "a_2", "select"]  # fmt: skip
    columns: list[Flat] = [
        (Node(name, physical=t.INT32), "INTEGER", [i32(at), None], [f"i{at}", None]) for at, name in enumerate(given)
    ]
    data, expected = flat_file(columns)
    expected.columns = [(name, "INTEGER") for name in made]
    return data, expected


def lists() -> tuple[bytes, Expected]:
    """Every way to write a list that the specification knows, and records that go on in the next page."""
    R, O, E = t.REPEATED, t.OPTIONAL, t.REQUIRED
    text = {"physical": t.BYTE_ARRAY, "converted": UTF8}
    number = {"physical": t.INT32}
    columns = [
        # optional group (LIST) { repeated group list { optional element } }
        Node("three", O, children=[Node("list", R, children=[Node("element", O, **number)])], logical={3: {}}),
        # optional group (LIST) { repeated int32 element }
        Node("two", O, children=[Node("element", R, **number)], converted=LIST),
        # required group (LIST) { repeated group element { required a; required b } }
        Node("structs", E, children=[Node("element", R, children=[Node("a", E, **number), Node("b", O, **text)])],
             converted=LIST),
        # optional group (LIST) { repeated group array { required a } }: the group is the element
        Node("arrays", O, children=[Node("array", R, children=[Node("a", E, **number)])], converted=LIST),
        # the same by the list's own name
        Node("my", O, children=[Node("my_tuple", R, children=[Node("a", E, **number)])], converted=LIST),
        # No annotation at all.
        Node("bare", R, **number),
        Node("bare structs", R, children=[Node("a", O, **number), Node("l", R, **number)]),
    ]  # fmt: skip
    one, two, three = i32(1), i32(2), i32(3)
    chunks = [
        # [1, NULL, 2] in two pages; NULL; []; [3]
        Chunk([[(0, 3, one), (1, 2, None)], [(1, 3, two), (0, 0, None), (0, 1, None)], [(0, 3, three)]]),
        # [1, 2]; []; NULL; [3]
        Chunk([[(0, 2, one)], [(1, 2, two)], [(0, 1, None)], [(0, 0, None), (0, 2, three)]]),
        # [{1, x}, {2, NULL}]; []; [{3, y}]; []
        Chunk([[(0, 1, one), (1, 1, two), (0, 0, None), (0, 1, three), (0, 0, None)]]),
        Chunk([[(0, 2, b"x"), (1, 1, None), (0, 0, None)], [(0, 2, b"y"), (0, 0, None)]]),
        # [{1}, {2}]; NULL; []; [{3}]
        Chunk([[(0, 2, one), (1, 2, two), (0, 0, None), (0, 1, None), (0, 2, three)]]),
        Chunk([[(0, 2, one), (1, 2, two), (0, 0, None), (0, 1, None), (0, 2, three)]]),
        # [1, 2]; []; []; [3]
        Chunk([[(0, 1, one), (1, 1, two), (0, 0, None), (0, 0, None), (0, 1, three)]]),
        # [{a: 1, l: [1, 2]}, {a: NULL, l: []}]; []; []; [{a: 3, l: [3]}]
        Chunk([[(0, 2, one), (1, 1, None), (0, 0, None), (0, 0, None), (0, 2, three)]]),
        Chunk([[(0, 2, one), (2, 2, two), (1, 1, None), (0, 0, None), (0, 0, None), (0, 2, three)]]),
    ]
    rows: list[list[Cell]] = [
        ["t[1,null,2]", "t[1,2]", 't[{"a":1,"b":"x"},{"a":2,"b":null}]', 't[{"a":1},{"a":2}]', 't[{"a":1},{"a":2}]',
         "t[1,2]", 't[{"a":1,"l":[1,2]},{"a":null,"l":[]}]'],
        [None, "t[]", "t[]", None, None, "t[]", "t[]"],
        ["t[]", None, 't[{"a":3,"b":"y"}]', "t[]", "t[]", "t[]", "t[]"],
        ["t[3]", "t[3]", "t[]", 't[{"a":3}]', 't[{"a":3}]', "t[3]", 't[{"a":3,"l":[3]}]'],
    ]  # fmt: skip
    expected = Expected([(node.name, "TEXT") for node in columns], rows)
    return t.write(columns, [(4, chunks)]), expected


def maps() -> tuple[bytes, Expected]:
    """Maps, old and new, with keys of many types, and what is none although it says so."""
    R, O, E = t.REPEATED, t.OPTIONAL, t.REQUIRED
    text = {"physical": t.BYTE_ARRAY, "converted": UTF8}
    columns = [
        Node("new", O, children=[Node("key_value", R, children=[Node("key", E, **text), Node("value", O, physical=t.DOUBLE)])],
             logical={2: {}}),
        Node("old", E, children=[Node("map", R, children=[Node("k", E, physical=t.INT64, converted=UINT_64),
                                                         Node("v", E, **text)])], converted=MAP_KEY_VALUE),
        Node("set", E, children=[Node("key_value", R, children=[Node("key", E, **text)])], converted=MAP),
        Node("null keys", E, children=[Node("key_value", R, children=[Node("key", O, **text), Node("value", E, **text)])],
             converted=MAP),
        Node("no map", O, children=[Node("a", O, physical=t.INT32), Node("b", O, physical=t.INT32)], converted=MAP),
    ]  # fmt: skip
    chunks = [
        # {a: NaN, a: 1.5, b: NULL}; NULL; {}
        Chunk([[(0, 2, b"a"), (1, 2, b"a"), (1, 2, b"\xff"), (0, 0, None), (0, 1, None)]]),
        Chunk([[(0, 3, f64(float("nan"))), (1, 3, f64(1.5)), (1, 2, None), (0, 0, None), (0, 1, None)]]),
        # {2^64-1: x}; {}; {0: é"}
        Chunk([[(0, 1, i64(-1)), (0, 0, None), (0, 1, i64(0))]]),
        Chunk([[(0, 1, b"x"), (0, 0, None), (0, 1, 'é"'.encode())]]),
        Chunk([[(0, 1, b"x"), (1, 1, b"y"), (0, 0, None), (0, 1, b"\xff")]]),
        # [{NULL, v}]; []; [{k, w}]
        Chunk([[(0, 1, None), (0, 0, None), (0, 2, b"k")]]),
        Chunk([[(0, 1, b"v"), (0, 0, None), (0, 1, b"w")]]),
        Chunk([[(0, 2, i32(1)), (0, 0, None), (0, 1, None)]]),
        Chunk([[(0, 1, None), (0, 0, None), (0, 1, None)]]),
    ]
    rows: list[list[Cell]] = [
        ['t{"a":null,"a":1.5,"/w==":null}', 't{"18446744073709551615":"x"}', 't["x","y"]', 't[{"key":null,"value":"v"}]',
         't{"a":1,"b":null}'],
        [None, "t{}", "t[]", "t[]", None],
        ["t{}", 't{"0":"é\\""}', 't[{"base64":"/w=="}]', 't[{"key":"k","value":"w"}]', 't{"a":null,"b":null}'],
    ]  # fmt: skip
    findings = [
        ("new", "invalid-key-in-json", 1, 1),
        ("new", "not-finite-in-json", 1, 1),
        ("set", "invalid-text-in-json", 1, 3),
    ]
    return t.write(columns, [(3, chunks)]), Expected([(node.name, "TEXT") for node in columns], rows, findings)


def deep() -> tuple[bytes, Expected]:
    """NULL and nothing at every level of lists in structs in lists, and the types that JSON has no word for."""
    R, O, E = t.REPEATED, t.OPTIONAL, t.REQUIRED
    inner = Node("tags", O, children=[Node("list", R, children=[Node("element", O, physical=t.BYTE_ARRAY, converted=UTF8)])],
                 converted=LIST)  # fmt: skip
    struct_node = Node("element", O, children=[
        Node("price", O, physical=t.INT32, converted=DECIMAL, precision=5, scale=2), inner,
        Node("raw", O, physical=t.BYTE_ARRAY), Node("big", E, physical=t.INT64, converted=UINT_64)])  # fmt: skip
    columns = [Node("deep", O, children=[Node("list", R, children=[struct_node])], converted=LIST)]
    # Levels: list 1, element 2, struct 3, then price 4; tags 4, its list 5, its element 6; raw 4.
    chunks = [
        Chunk([[(0, 4, i32(150)), (1, 3, None), (1, 2, None), (0, 0, None), (0, 1, None), (0, 3, None)]]),
        Chunk(
            [
                [(0, 6, b"x"), (2, 5, None), (2, 6, b"a\n\t\x01\\")],
                [(1, 4, None), (1, 2, None), (0, 0, None)],
                [(0, 1, None), (0, 3, None)],
            ]
        ),
        Chunk([[(0, 4, b"\xff\0"), (1, 4, b""), (1, 2, None), (0, 0, None), (0, 1, None), (0, 3, None)]]),
        Chunk([[(0, 3, i64(2**63 - 1)), (1, 3, i64(-1)), (1, 2, None), (0, 0, None), (0, 1, None), (0, 3, i64(0))]]),
    ]
    rows: list[list[Cell]] = [
        ['t[{"price":"1.50","tags":["x",null,"a\\n\\t\\u0001\\\\"],"raw":"/wA=","big":9223372036854775807},'
         '{"price":null,"tags":[],"raw":"","big":"18446744073709551615"},null]'],
        [None],
        ["t[]"],
        ['t[{"price":null,"tags":null,"raw":null,"big":0}]'],
    ]  # fmt: skip
    return t.write(columns, [(4, chunks)]), Expected([("deep", "TEXT")], rows)


def variant() -> tuple[bytes, Expected]:
    """A group whose annotation is of no use here is a struct, a group without fields nothing at all."""
    O, E = t.OPTIONAL, t.REQUIRED
    columns = [
        Node("v", O, children=[Node("metadata", E, physical=t.BYTE_ARRAY), Node("value", E, physical=t.BYTE_ARRAY)],
             logical={16: {1: t.I8(1)}}),
        Node("nested", O, children=[Node("x", O, physical=t.INT32), Node("none", O)]),
        Node("none", O),
    ]  # fmt: skip
    chunks = [
        Chunk([[(0, 1, b"\1\0\0"), (0, 0, None)]]),
        Chunk([[(0, 1, b"\0"), (0, 0, None)]]),
        Chunk([[(0, 2, i32(7)), (0, 1, None)]]),
    ]
    rows: list[list[Cell]] = [
        ['t{"metadata":"AQAA","value":"AA=="}', 't{"x":7,"none":null}', None],
        [None, 't{"x":null,"none":null}', None],
    ]
    return t.write(columns, [(2, chunks)]), Expected([("v", "TEXT"), ("nested", "TEXT"), ("none", "")], rows)


def groups() -> tuple[bytes, Expected]:
    """Row groups of all sizes, none among them; a dictionary said to be where none is."""
    node = Node("n", physical=t.INT64)
    sizes = [0, 1, 3, 0, 1500, 2]
    made, first = [], 0
    for size in sizes:
        entries: list[Entry] = [(0, 1, i64(number)) for number in range(first, first + size)]
        pages = [entries[at : at + 700] for at in range(0, size, 700)]
        made.append((size, [Chunk(pages, dictionary_offset=0)]))
        first += size
    return t.write([node], made), Expected([("n", "INTEGER")], [[f"i{number}"] for number in range(first)])


def no_rows() -> tuple[bytes, Expected]:
    """Columns without a single row group."""
    columns = [Node("a", physical=t.INT32), Node("b", physical=t.BYTE_ARRAY, logical=STRING)]
    return t.write(columns, []), Expected([("a", "INTEGER"), ("b", "TEXT")], [])


def no_columns() -> tuple[bytes, Expected]:
    """Rows without a column."""
    return t.write([], [(3, [])]), Expected([], [], fails=1)


def too_many_columns() -> tuple[bytes, Expected]:
    """One column more than a table can have."""
    columns = [Node(f"c{at}", physical=t.INT32) for at in range(2001)]
    chunk = Chunk([[(0, 1, i32(1))]])
    return t.write(columns, [(1, [chunk] * 2001)]), Expected([], [], fails=1)


def as_many_columns_as_fit() -> tuple[bytes, Expected]:
    """As many columns as a table can have."""
    columns = [Node(f"c{at}", physical=t.INT32) for at in range(2000)]
    made = [(2, [Chunk([[(0, 1, i32(at)), (0, 0, None)]]) for at in range(2000)])]
    rows: list[list[Cell]] = [[f"i{at}" for at in range(2000)], [None] * 2000]
    return t.write(columns, made), Expected([(f"c{at}", "INTEGER") for at in range(2000)], rows)


def contradicting_levels() -> tuple[bytes, Expected]:
    """Two leaves of one struct that do not agree whether it is NULL."""
    columns = [Node("s", children=[Node("a", physical=t.INT32), Node("b", physical=t.INT32)])]
    chunks = [Chunk([[(0, 2, i32(1)), (0, 0, None)]]), Chunk([[(0, 2, i32(1)), (0, 2, i32(2))]])]
    return t.write(columns, [(2, chunks)]), Expected([], [], fails=13)


def begins_in_a_row() -> tuple[bytes, Expected]:
    """A list whose first entry goes on with a row that never began."""
    columns = [Node("l", t.REPEATED, physical=t.INT32)]
    return t.write(columns, [(1, [Chunk([[(1, 1, i32(1)), (0, 1, i32(2))]])])]), Expected([], [], fails=13)


def too_few_rows() -> tuple[bytes, Expected]:
    """A column that ends before its row group."""
    columns = [Node("a", physical=t.INT32), Node("b", physical=t.INT32)]
    chunks = [Chunk([[(0, 1, i32(1)), (0, 1, i32(2))]]), Chunk([[(0, 1, i32(1))]])]
    return t.write(columns, [(2, chunks)]), Expected([], [], fails=13)


def too_many_rows() -> tuple[bytes, Expected]:
    """A column that goes on after its row group."""
    chunks = [Chunk([[(0, 1, i32(1)), (0, 1, i32(2))]])]
    return t.write([Node("a", physical=t.INT32)], [(1, chunks)]), Expected([], [], fails=13)


def decimal_of_negative_scale() -> tuple[bytes, Expected]:
    """Five hundreds, say some databases; Parquet has no such decimals."""
    column = Node("a", physical=t.INT32, converted=DECIMAL, precision=3, scale=-2, logical={5: {1: -2, 2: 3}})
    return t.write([column], [(1, [Chunk([[(0, 1, i32(5))]])])]), Expected([], [], fails=13)


def too_deep() -> tuple[bytes, Expected]:
    """More levels than anybody means."""
    node = Node("leaf", physical=t.INT32)
    for _ in range(100):
        node = Node("g", children=[node])
    return t.write([node], [(1, [Chunk([[(0, 0, None)]])])]), Expected([], [], fails=1)


# Small enough to be kept with the sources.
SMALL = (
    decimals, old_annotations, times, numbers, odd_types, names, lists, maps, deep, variant, no_rows, no_columns,
    decimal_of_negative_scale, contradicting_levels, begins_in_a_row, too_few_rows, too_many_rows, too_deep,
)  # fmt: skip
LARGE = (groups, too_many_columns, as_many_columns_as_fit)


def files(small_only: bool) -> Iterator[tuple[str, bytes, Expected]]:
    """All files by name."""
    for make in SMALL if small_only else SMALL + LARGE:
        data, expected = make()
        yield f"hand_{make.__name__}", data, expected
