"""MessagePack, as much of it as tables have: numbers, texts, bytes, lists, maps. https://github.com/msgpack/msgpack"""

import struct


def pack_into(out, value):
    kind = type(value)
    if value is None:
        out.append(0xC0)
    elif kind is bool:
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        integer(out, int(value))
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, str):
        data = value.encode("utf-8", "surrogateescape")
        sized(out, len(data), 0xA0, 31, (0xD9, 0xDA, 0xDB))
        out += data
    elif isinstance(value, (bytes, bytearray)):
        sized(out, len(value), None, -1, (0xC4, 0xC5, 0xC6))
        out += value
    elif isinstance(value, (list, tuple)):
        sized(out, len(value), 0x90, 15, (None, 0xDC, 0xDD))
        for item in value:
            pack_into(out, item)
    elif isinstance(value, dict):
        sized(out, len(value), 0x80, 15, (None, 0xDE, 0xDF))
        for key, item in value.items():
            pack_into(out, key)
            pack_into(out, item)
    else:
        raise TypeError("a table has no %s: %.80r" % (kind.__name__, value))


def integer(out, value):
    if 0 <= value < 128:
        out.append(value)
    elif -32 <= value < 0:
        out.append(value & 0xFF)
    else:
        codes = [(0xCC, "B"), (0xCD, "H"), (0xCE, "I"), (0xCF, "Q")] if value > 0 else [(0xD0, "b"), (0xD1, "h"), (0xD2, "i"), (0xD3, "q")]
        for code, form in codes:
            try:
                out += struct.pack(">B" + form, code, value)
                return
            except struct.error:
                continue
        raise OverflowError("a table has numbers of 64 bits, and %d is larger" % value)


def sized(out, size, small, most, codes):
    if size <= most:
        out.append(small | size)
        return
    for code, form, limit in zip(codes, "BHI", (1 << 8, 1 << 16, 1 << 32)):
        if code is not None and size < limit:
            out += struct.pack(">B" + form, code, size)
            return


# By the first byte: what number follows.
NUMBERS = {
    code: struct.Struct(">" + form)
    for code, form in zip((0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3), "fdBHIQbhiq")
}
SIZES = [struct.Struct(">B"), struct.Struct(">H"), struct.Struct(">I")]


def unpack_all(data):
    at = 0
    while at < len(data):
        value, at = unpack(data, at)
        yield value


def unpack(data, at=0):
    """The value at this place, and where the next one is."""
    code = data[at]
    at += 1
    if code < 0x80:
        return code, at
    if code >= 0xE0:
        return code - 0x100, at
    if code in NUMBERS:
        form = NUMBERS[code]
        return form.unpack_from(data, at)[0], at + form.size
    if code < 0x90:
        return mapping(data, at, code & 15)
    if code < 0xA0:
        return sequence(data, at, code & 15)
    if code < 0xC0:
        return text(data, at, code & 31)
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], at
    for first, last, form, take in ((0xC4, 0xC6, 0, raw), (0xD9, 0xDB, 0, text), (0xDC, 0xDD, 1, sequence), (0xDE, 0xDF, 1, mapping)):
        if first <= code <= last:
            form = SIZES[code - first + form]
            return take(data, at + form.size, form.unpack_from(data, at)[0])
    raise ValueError("no MessagePack: a value begins with 0x%02x" % code)


def raw(data, at, size):
    return bytes(data[at : at + size]), at + size


def text(data, at, size):
    return str(data[at : at + size], "utf-8", "surrogateescape"), at + size


def sequence(data, at, size):
    found = []
    for _ in range(size):
        value, at = unpack(data, at)
        found.append(value)
    return found, at


def mapping(data, at, size):
    found = {}
    for _ in range(size):
        key, at = unpack(data, at)
        found[key], at = unpack(data, at)
    return found, at
