"""A dpark context that is ready, by the name `dpark`:

    from dae.api import dpark

    words = dpark.textFile("logs/*.gz").flatMap(str.split)
    words.hot(10)

It runs in processes of this machine, or where `DAE_DPARK` says. The engine is `dae.dpark`, which is also what `import dpark`
finds in an app that does not pin dpark itself.
"""

from dae.dpark import Bagel, DparkContext, optParser  # noqa: F401
from dae.dpark.accumulator import listAcc, mapAcc, numAcc, setAcc  # noqa: F401

ctx = DparkContext()


def __getattr__(name):
    return getattr(ctx, name)


def __dir__():
    return sorted({*globals(), *dir(ctx)})
