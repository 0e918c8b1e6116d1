"""What generated types and methods stand on: Apache's thrift, and nothing else."""

from io import BytesIO
from struct import pack, unpack_from

from thrift.protocol.TBase import TBase
from thrift.Thrift import TApplicationException, TException, TFrozenDict  # noqa: F401  (constants may be one)

try:
    from thrift.protocol import fastbinary
except ImportError:  # no C compiler was there when thrift was installed
    fastbinary = None

#: Stands for a default that every object gets a copy of its own of.
OWN = object()


class Struct(TBase):
    """Fields by name, in the order of the file."""

    __slots__ = ()
    thrift_spec = ()

    def __hash__(self):
        return hash((type(self), tuple(_frozen(getattr(self, name)) for name in self.__slots__)))

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __ne__(self, other):
        return not self == other

    def __lt__(self, other):
        # The library sorts the keys of a map that is a key itself.
        return hash(self) < hash(other)

    def __reduce__(self):
        return type(self), tuple(getattr(self, name) for name in self.__slots__)


class Failure(Struct, TException):
    """An exception of the IDL."""

    def __str__(self):
        return repr(self)


def _frozen(value):
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return frozenset((_frozen(key), _frozen(item)) for key, item in value.items())
    return frozenset(value) if isinstance(value, set) else value


def fields(cls, *specs):
    """Gives a class its fields, `(id, type, name, what it holds, default)` each; `cls.thrift_kind` may be referred to before."""
    spec = [None] * (1 + max((field[0] for field in specs), default=-1))
    for field in specs:
        spec[field[0]] = field
    cls.thrift_spec = cls.thrift_kind[1] = tuple(spec)


class Method:
    """A function of a service."""

    __slots__ = ("name", "args", "result", "oneway", "idempotent", "head", "answer")

    def __init__(self, name, args, result, oneway=False, idempotent=False):
        self.name, self.args, self.result, self.oneway, self.idempotent = name, args, result, oneway, idempotent
        raw = name.encode()
        end = pack("!I", len(raw)) + raw + bytes(4)
        self.head = (b"\x80\x01\x00\x04" if oneway else b"\x80\x01\x00\x01") + end
        self.answer = b"\x80\x01\x00\x02" + end

    def request(self, args, trailer=b""):
        """The whole frame of a call."""
        try:
            body = encode(args)
        except (TypeError, AttributeError, OverflowError) as error:
            raise TypeError(f"{self.name}({args!r}): {error}") from None
        if trailer:
            body = body[:-1] + trailer
        return pack("!I", len(self.head) + len(body)) + self.head + body

    def outcome(self, frame):
        """What the server's frame says: returned, or raised."""
        if not frame.startswith(self.answer, 4):
            return self._unusual(frame)
        return self.returned(decode(frame, 4 + len(self.answer), self.result()))

    def returned(self, result):
        spec = result.thrift_spec
        for field in spec:
            if field is not None:
                value = getattr(result, field[2])
                if value is not None:
                    if field[0]:
                        raise value
                    return value
        if spec and spec[0]:
            raise TApplicationException(TApplicationException.MISSING_RESULT, f"{self.name} returned nothing")
        return None

    def _unusual(self, frame):
        """An error of the server, or a server that numbers its answers in its own way."""
        try:
            version, length = unpack_from("!II", frame, 4)
            at = 12 + length + 4
            name = bytes(frame[12 : 12 + length]).decode("utf-8", "replace")
        except Exception:
            version, at, name = 0, 0, ""
        if version == 0x80010002 and name == self.name:
            return self.returned(decode(frame, at, self.result()))
        if version == 0x80010003:
            error = decode(frame, at, _Error())
            raise TApplicationException(error.type or 0, error.message)
        raise TApplicationException(TApplicationException.INVALID_MESSAGE_TYPE, f"no answer to {self.name}: {bytes(frame[:32])!r}")


class Frame:
    """What the decoder in C reads from: one whole frame."""

    __slots__ = ("cstringio_buf",)
    string_length_limit = container_length_limit = 0x7FFFFFFF

    @property
    def trans(self):
        return self

    def cstringio_refill(self, partial, length):
        raise EOFError("a message ends too early")


class _Error(Struct):
    __slots__ = ("message", "type")

    def __init__(self, message=None, type=None):
        self.message, self.type = message, type


_Error.thrift_kind = [_Error, ()]
fields(_Error, (1, 11, "message", "UTF8", None), (2, 8, "type", None, None))

if fastbinary is not None:

    def encode(struct, _encode=fastbinary.encode_binary):
        return _encode(struct, struct.thrift_kind)

    def decode(frame, at, struct, _decode=fastbinary.decode_binary):
        reader = Frame()
        reader.cstringio_buf = buffer = BytesIO(frame)
        buffer.seek(at)
        return _decode(struct, reader, struct.thrift_kind)

else:
    from thrift.protocol.TBinaryProtocol import TBinaryProtocol
    from thrift.transport.TTransport import TMemoryBuffer

    def encode(struct):
        buffer = TMemoryBuffer()
        TBinaryProtocol(buffer).writeStruct(struct, struct.thrift_spec)
        return buffer.getvalue()

    def decode(frame, at, struct):
        TBinaryProtocol(TMemoryBuffer(frame[at:])).readStruct(struct, struct.thrift_spec)
        return struct
