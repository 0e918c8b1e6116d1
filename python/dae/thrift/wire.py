"""Messages of Thrift from a socket: framed or not, binary or compact, told apart by their first bytes, message by message."""

import struct
from io import BytesIO

from thrift.protocol import TBinaryProtocol, TCompactProtocol
from thrift.transport.TTransport import TMemoryBuffer

try:
    from thrift.protocol import fastbinary
except ImportError:
    fastbinary = None

CALL, REPLY, EXCEPTION, ONEWAY = 1, 2, 3, 4
BINARY, COMPACT = "binary", "compact"
#: A longer message is refused before it is read, in bytes.
LARGEST = 64 << 20
LONGEST_NAME = 1024


_LENGTH = struct.Struct("!I")
#: A frame's length, version and kind, the length of the name.
_FRAME = struct.Struct("!III")
_KINDS = {0x80010000 | CALL: CALL, 0x80010000 | ONEWAY: ONEWAY}


class Garbage(Exception):
    """What came is no message of Thrift; nothing that follows can be made sense of."""


class Message:
    """The head of a call; its arguments are read by `arguments`."""

    __slots__ = ("framed", "protocol", "kind", "name", "seqid", "source", "at", "size", "tail")

    def arguments(self, struct):
        """Reads them into a generated struct. What is not known of them is passed over."""
        struct = decode(self.protocol, self.source, self.at, struct)
        if self.framed and self.source.cstringio_buf.read(1):
            raise Garbage("the frame goes on behind the message")
        return struct

    def answer(self, kind, outcome, head=None):
        """The bytes of an answer in the words of the call; `head` is `binary_head` of it, where that is known."""
        body = encode(self.protocol, outcome)
        if self.protocol is BINARY:
            head = head or binary_head(kind, self.name)
            if self.framed:
                return b"".join((_LENGTH.pack(len(head) + 4 + len(body)), head, self.seqid, body))
            body = head + self.seqid + body
        else:
            body = bytes((0x82, kind << 5 | 1)) + self.seqid + varint(len(self.name)) + self.name + body
        return _LENGTH.pack(len(body)) + body if self.framed else body


def binary_head(kind, name):
    """How a message begins in the binary protocol, up to its number."""
    return b"\x80\x01\x00" + bytes((kind,)) + _LENGTH.pack(len(name)) + name


class Source:
    """What the decoder reads from: a whole frame, or a socket that brings more."""

    string_length_limit = container_length_limit = LARGEST

    def __init__(self, data, receive=None):
        self.cstringio_buf, self.receive, self.size = BytesIO(data), receive, len(data)

    @property
    def trans(self):
        return self

    def cstringio_refill(self, partial, length):
        data = bytearray(partial)
        # What the decoder has not given back yet may be followed by more that is here already.
        data += self.cstringio_buf.read()
        while len(data) < length:
            if self.receive is None:
                raise EOFError("the message ends too early")
            more = self.receive()
            if not more:
                raise EOFError("the connection was closed in the middle of a message")
            self.size += len(more)
            if self.size > LARGEST:
                raise Garbage(f"a message of more than {LARGEST} bytes")
            data += more
        self.cstringio_buf = BytesIO(bytes(data))
        return self.cstringio_buf

    # For the decoder in Python, where there is none in C.
    def readAll(self, length):
        data = self.cstringio_buf.read(length)
        return data if len(data) == length else self.cstringio_refill(data, length).read(length)

    read = readAll


def quick(data):
    """The message where `data` is just one frame with a call in the binary protocol, as most are; else None, and a Reader
    knows more."""
    size = len(data)
    if size < 17:
        return None
    length, word, name = _FRAME.unpack_from(data)
    at = 16 + name
    kind = _KINDS.get(word)
    if length != size - 4 or kind is None or name > LONGEST_NAME or at >= size:
        return None
    message = Message()
    message.framed, message.protocol, message.kind = True, BINARY, kind
    message.name, message.seqid, message.at = data[12 : at - 4], data[at - 4 : at], at
    message.source = Source(data)
    return message


class Reader:
    """Takes messages off a socket, given by what receives from it."""

    def __init__(self, receive):
        self.receive = receive
        self.left = b""

    def next(self, data=b""):
        """The next message, whose first bytes may be `data`; None where the other side has closed."""
        data = self.left + data if self.left else data
        self.left = b""
        data = data or self.receive()
        if not data:
            return None
        data = self.more(data, 5)
        message = Message()
        first = data[0]
        message.framed = first not in (0x80, 0x82) and data[4] in (0x80, 0x82, 0)
        if not message.framed:
            if first == 0x16 and data[1] == 3:
                raise Garbage("TLS, which is not spoken here")
            if first != 0 and first not in (0x80, 0x82):
                raise Garbage("no message of Thrift: " + repr(bytes(data[:16])))
            message.source = Source(data, self.receive)
            return self.head(message, data, 0)
        length = int.from_bytes(data[:4], "big")
        if length > LARGEST:
            raise Garbage(f"a frame of {length} bytes, and {LARGEST} is the most")
        end = 4 + length
        if len(data) != end:
            data = self.more(data, end)
            data, self.left = data[:end], data[end:]
        message.source = Source(data)
        return self.head(message, data, 4)

    def more(self, data, length):
        if len(data) >= length:
            return data
        data = bytearray(data)
        while len(data) < length:
            part = self.receive()
            if not part:
                raise Garbage("the connection was closed in the middle of a message")
            data += part
        return bytes(data)

    def head(self, message, data, at):
        source = message.source

        def take(count):
            nonlocal at
            at += count
            if at > source.size:
                buffer = source.cstringio_buf
                buffer.seek(0)
                # Refilled from its first byte, so that places in it stay what they are.
                source.cstringio_refill(b"", at)
            buffer = source.cstringio_buf
            buffer.seek(at - count)
            part = buffer.read(count)
            if len(part) != count:
                raise Garbage("the message ends too early")
            return part

        first = data[at]
        if first == 0x82:
            message.protocol = COMPACT
            kind = take(2)[1]
            if kind & 0x1F != 1:
                raise Garbage(f"version {kind & 0x1F} of the compact protocol")
            message.kind = kind >> 5
            message.seqid = _varint_bytes(take)
            length = _varint_of(_varint_bytes(take))
            self.check_name(length)
            message.name = take(length)
        else:
            message.protocol = BINARY
            if first == 0x80:
                head = take(8)
                if head[1] != 1:
                    raise Garbage(f"version {head[1]} of the binary protocol")
                message.kind, length = head[3], int.from_bytes(head[4:], "big")
                self.check_name(length)
                rest = take(length + 4)
                message.name, message.seqid = rest[:length], rest[length:]
            else:
                # As it was before versions: name, type, number.
                length = int.from_bytes(take(4), "big")
                self.check_name(length)
                rest = take(length + 5)
                message.name, message.kind, message.seqid = rest[:length], rest[length], rest[length + 1 :]
        message.at = at
        return message

    @staticmethod
    def check_name(length):
        if length > LONGEST_NAME:
            raise Garbage(f"a method's name of {length} bytes")

    def done(self, message):
        """Takes back what was read beyond a message that came without a frame."""
        if not message.framed:
            self.left = message.source.cstringio_buf.read()


def _varint_bytes(take):
    data = b""
    while True:
        data += take(1)
        if data[-1] < 0x80:
            return data
        if len(data) == 5:
            raise Garbage("a number of more than 32 bits")


def _varint_of(data):
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data))


def varint(number):
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


if fastbinary is not None:
    _decoders = {BINARY: fastbinary.decode_binary, COMPACT: fastbinary.decode_compact}
    _encoders = {BINARY: fastbinary.encode_binary, COMPACT: fastbinary.encode_compact}

    def decode(protocol, source, at, struct):
        source.cstringio_buf.seek(at)
        return _decoders[protocol](struct, source, struct.thrift_kind)

    def encode(protocol, struct):
        return _encoders[protocol](struct, struct.thrift_kind)

else:
    _protocols = {BINARY: TBinaryProtocol.TBinaryProtocol, COMPACT: TCompactProtocol.TCompactProtocol}

    def decode(protocol, source, at, struct):
        source.cstringio_buf.seek(at)
        _protocols[protocol](source).readStruct(struct, struct.thrift_spec)
        return struct

    def encode(protocol, struct):
        buffer = TMemoryBuffer()
        _protocols[protocol](buffer).writeStruct(struct, struct.thrift_spec)
        return buffer.getvalue()
