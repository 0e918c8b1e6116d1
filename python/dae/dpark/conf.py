"""What can be set; most of it is there because scripts name it.

How a shuffle merges is decided by how much memory there is, so the options of `rddconf` change no result.
"""

DPARK_WORK_DIR = None
# Megabytes a task may use before it goes on, on disk; None: half of the machine's, shared by the processes.
MEM_PER_TASK = None
MAX_OPEN_FILE = 900

OP_UDF, OP_GROUPBY, OP_COGROUP = "udf", "groupby", "cogroup"


class RDDConf:
    ATTRS = {
        "disk_merge": False,
        "sort_merge": False,
        "iter_group": False,
        "ordered_group": False,
        "dump_mem_ratio": 0.9,
        "op": OP_UDF,
    }

    def __init__(self, **values):
        for name, value in dict(self.ATTRS, **values).items():
            setattr(self, name, value)

    def __setattr__(self, name, value):
        if name not in self.ATTRS:
            raise AttributeError("there is no %r in an rddconf; there are %s" % (name, ", ".join(sorted(self.ATTRS))))
        object.__setattr__(self, name, value)

    def dup(self, **values):
        return RDDConf(**dict(self.__dict__, **values))

    def __repr__(self):
        return "RDDConf(%r)" % self.__dict__


default_rddconf = RDDConf()


def rddconf(**values):
    """The defaults with some of them changed."""
    return default_rddconf.dup(**{name: value for name, value in values.items() if value is not None})
