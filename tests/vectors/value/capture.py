"""Writes transcode.yaml: what Python makes of a value of the other encoding.

Needs the distributions of tests/interop/aiomas-requirements.txt. Run from the root of the repository:
    build/venv-aiomas/bin/python tests/vectors/value/capture.py
"""

import json
import pathlib
import platform
import struct

import msgpack

HERE = pathlib.Path(__file__).parent

TEXTS = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "127",
    "128",
    "255",
    "256",
    "-32",
    "-33",
    "-128",
    "-129",
    "65535",
    "65536",
    "2147483648",
    "-2147483649",
    str(2**63 - 1),
    str(2**63),
    str(2**64 - 1),
    str(2**64),
    str(-(2**63)),
    str(-(2**63) - 1),
    "9" * 60,
    "0.0",
    "-0.0",
    "1.0",
    "0.1",
    "1e5",
    "1E+400",
    "-1e400",
    "1e-400",
    "5e-324",
    "123456789012345678901234567890.0",
    "NaN",
    "Infinity",
    "-Infinity",
    '""',
    '"a"',
    '"' + "x" * 31 + '"',
    '"' + "x" * 32 + '"',
    '"' + "y" * 256 + '"',
    '"\\u00e9\\u20ac\\ud83d\\ude00"',
    '"\u00e9\u20ac\U0001f600"',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u007f"',
    '"\\ud800"',
    '"a\\udc00b"',
    '"\\ud83d\\u0041"',
    '"[1,2]{}:,"',
    "[]",
    "{}",
    " [ ] ",
    "{ \n}",
    "[[],[[]],{}]",
    '[1,[2,3],{"a":[4,{}],"b":5},6]',
    "[" + "0," * 15 + "0]",
    "[" + "[]," * 14 + "[]]",
    '{"k": {"k": {"k": null}}}',
    '{"": 1, "\\u00e9": 2}',
    '{"a\\"b": [true, {"c": "]"}]}',
    '[1.5, "1.5", null, [NaN]]',
    "{" + ",".join('"%d":%d' % (i, i) for i in range(16)) + "}",
    '{"\\ud800": 1}',
    "",
    "[1,]",
    "[1 2]",
    "nul",
    "{1: 2}",
    "\ufeff1",
    "[1]x",
]

PACKED = [
    msgpack.packb(v)
    for v in (
        None,
        True,
        False,
        0,
        1,
        -1,
        127,
        128,
        255,
        256,
        -32,
        -33,
        -128,
        -129,
        65535,
        65536,
        2**32,
        -(2**31) - 1,
        2**63 - 1,
        -(2**63),
        2**64 - 1,
        0.0,
        -0.0,
        1.5,
        0.1,
        1e16,
        1e-7,
        float("nan"),
        float("inf"),
        float("-inf"),
        "",
        "a",
        "x" * 31,
        "x" * 32,
        "y" * 300,
        "\u00e9\u20ac\U0001f600",
        '"\\/\b\f\n\r\t\0\x7f\u2028',
        [],
        {},
        [[], [[]], {}],
        [1, [2, 3], {"a": [4, {}], "b": 5}, 6],
        list(range(20)),
        {str(i): i for i in range(20)},
        {1: "a", -5: "b", 2**64 - 1: "c"},
        {1.5: 1, 1e20: 2, float("nan"): 3},
        {None: 1, True: 2, False: 3},
        {"k": {None: [1.0]}},
        b"",
        b"abc",
        [b"\xff"],
        {b"k": 1},
        {(1, 2): 3},
        {(): 1},
        msgpack.ExtType(5, b"x"),
        msgpack.ExtType(5, b"abc"),
        msgpack.Timestamp(1),
        [1, msgpack.ExtType(1, b"")],
    )
] + [
    b"\xca" + struct.pack(">f", 0.1),
    b"\xca" + struct.pack(">f", -1.5),
    b"\xd0\x05",
    b"\xd0\xff",
    b"\xd1\xff\x7f",
    b"\xd2\x80\x00\x00\x00",
    b"\xd3" + b"\xff" * 8,
    b"\xcf" + b"\0" * 7 + b"\x07",
    b"\xcc\x01",
    b"\xcd\0\x01",
    b"\xce\0\0\0\x01",
    b"\xd9\x01a",
    b"\xda\0\x01a",
    b"\xdb\0\0\0\x01a",
    b"\xdc\0\x01\xc0",
    b"\xdd\0\0\0\x01\xc0",
    b"\xde\0\x01\xa1a\xc0",
    b"\xdf\0\0\0\x01\xa1a\xc0",
    b"",
    b"\xc1",
    b"\x92\x01",
    b"\x01\x02",
    b"\xa2\xff\xfe",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff\x01",
    b"\x81\x01",
    b"\xc6\xff\xff\xff\xff",
    b"\xd9",
    b"\xcb\0",
]


def to_packed(text):
    """What a Python program would send, "malformed", or "no form"."""
    try:
        value = json.loads(text)
    except ValueError:
        return "malformed"
    try:
        return msgpack.packb(value).hex()
    except (OverflowError, UnicodeEncodeError):
        return "no form"


def refuse(code, data):
    raise TypeError("ext")


def to_text(packed):
    """The same in the other direction."""
    try:
        return json.dumps(msgpack.unpackb(packed, strict_map_key=False, use_list=False, ext_hook=refuse))
    except TypeError:
        return "no form"
    except (ValueError, msgpack.UnpackException):
        return "malformed"


def quoted(text):
    """A YAML string; YAML has no surrogate pairs."""
    return '"' + "".join("\\U%08x" % ord(c) if ord(c) > 0xFFFF else json.dumps(c)[1:-1] for c in text) + '"'


with open(HERE / "transcode.yaml", "w") as f:
    version = ".".join(map(str, msgpack.version))
    f.write(
        "# Obtained: json.loads, json.dumps, msgpack.packb and unpackb of CPython %s with msgpack %s, by tests/vectors/value/capture.py.\n"
        % (platform.python_version(), version)
    )
    f.write(
        '# to_msgpack: JSON text and the bytes; to_json: bytes and the JSON text. "malformed" and "no form" (docs/values.md) are refusals.\n'
    )
    f.write("to_msgpack:\n")
    for text in TEXTS:
        f.write('  - [%s, "%s"]\n' % (quoted(text), to_packed(text)))
    f.write("to_json:\n")
    for packed in PACKED:
        f.write('  - ["%s", %s]\n' % (packed.hex(), quoted(to_text(packed))))
