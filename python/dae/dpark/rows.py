"""Rows whose fields have names, and that travel between processes."""


def names_of(fields):
    return fields.replace(",", " ").split() if isinstance(fields, str) else list(map(str, fields))


class Row(tuple):
    """A row; its fields are attributes too."""

    _fields = ()

    def __getattr__(self, name):
        try:
            return self[self._fields.index(name)]
        except ValueError:
            raise AttributeError(name) from None

    def __reduce__(self):
        return row_of(self._fields), (tuple(self),)


_kinds = {}


class row_of:
    """What makes rows with these fields."""

    def __init__(self, fields):
        self.fields = tuple(fields)
        self.kind = _kinds.setdefault(self.fields, type("Row", (Row,), {"_fields": self.fields}))

    def __call__(self, values):
        return self.kind(values)

    def __reduce__(self):
        return row_of, (self.fields,)
