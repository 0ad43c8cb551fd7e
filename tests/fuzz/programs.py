"""Random pickles: programs that build something, with what no honest one has mixed in."""

import struct
from random import Random

NUMBERS = (0, 1, 2, 7, 19, 20, 80, 255, 2**31, 2**32, 2007000032, -1)
NAMES = (
    b"numpy ndarray",
    b"numpy dtype",
    b"numpy.core.multiarray _reconstruct",
    b"numpy._core.multiarray scalar",
    b"_codecs encode",
    b"torch._utils _rebuild_tensor_v2",
    b"torch._utils _rebuild_parameter",
    b"torch FloatStorage",
    b"torch HalfStorage",
    b"torch Size",
    b"torch device",
    b"collections OrderedDict",
    b"__torch__.M M",
    b"torch.jit._pickle build_intlist",
    b"torch.jit._pickle restore_type_tag",
    b"os system",
    b"builtins getattr",
    b"builtins bytearray",
)
TEXTS = (b"a", b"f4", b"<f4", b"i8", b"latin1", b"storage", b"0", b"cpu", b"w", b"\xc3\xa9", b"")
CODES = bytes(range(256))


def text(value: bytes) -> bytes:
    """A text as an instruction."""
    return b"X" + struct.pack("<I", len(value)) + value


def number(rng: Random) -> bytes:
    """A whole number in one of the ways that there are."""
    value = rng.choice((*NUMBERS, rng.randrange(2**16)))
    match rng.randrange(5):
        case 0 if 0 <= value < 256:
            return b"K" + bytes([value])
        case 1 if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        case 2:
            return b"I%d\n" % value
        case 3:
            return b"L%dL\n" % value
        case _:
            return b"\x8a\x08" + struct.pack("<q", value)


def leaf(rng: Random) -> bytes:
    """Something without parts."""
    match rng.randrange(9):
        case 0 | 1:
            return number(rng)
        case 2 | 3:
            return text(rng.choice(TEXTS))
        case 4:
            return rng.choice((b"N", b"\x88", b"\x89", b")", b"]", b"}"))
        case 5:
            return b"G" + struct.pack(">d", rng.choice((0.0, 1.0, 1e308, float("nan"))))
        case 6:
            content = rng.randbytes(rng.choice((0, 1, 4, 8, 80)))
            return b"C" + bytes([len(content)]) + content
        case 7:
            return b"h" + bytes([rng.randrange(8)])
        case _:
            return name(rng)


def name(rng: Random) -> bytes:
    """A global name."""
    module, _, inner = rng.choice(NAMES).partition(b" ")
    return b"c" + module + b"\n" + inner + b"\n"


def value(rng: Random, depth: int = 3) -> bytes:
    """Something with parts, now and then kept or fetched from the memo."""
    if depth == 0 or rng.random() < 0.2:
        made = leaf(rng)
    else:
        parts = [value(rng, depth - 1) for _ in range(rng.choice((1, 1, 2, 2, 3, 5)))]
        if rng.random() < 0.05:
            parts = [leaf(rng) for _ in range(20)]
        match rng.randrange(9):
            case 0:
                made = b"(" + b"".join(parts) + b"l"
            case 1:
                made = b"(" + b"".join(parts) + b"t"
            case 2:
                pairs = [leaf(rng) + part for part in parts]
                made = b"}(" + b"".join(pairs) + b"u"
            case 3:
                made = b"(" + b"".join(leaf(rng) + part for part in parts) + b"d"
            case 4 | 5:
                made = name(rng) + b"(" + b"".join(parts) + b"t" + rng.choice((b"R", b"\x81"))
            case 6:
                made = value(rng, depth - 1) + parts[0] + b"b"
            case 7:
                made = b"(" + b"".join(parts) + b"tQ"
            case _:
                made = b"]" + parts[0] + b"a"
    if rng.random() < 0.2:
        made += rng.choice((b"\x94", b"q" + bytes([rng.randrange(8)]), b"r\xff\xff\xff\x7f"))
    return made


def program(rng: Random) -> bytes:
    """A whole pickle; one in three has an instruction where none belongs."""
    made = b"\x80\x02" + value(rng) + b"."
    if rng.random() < 0.3:
        at = rng.randrange(len(made))
        made = made[:at] + bytes([rng.choice(CODES)]) + made[at:]
    return made
