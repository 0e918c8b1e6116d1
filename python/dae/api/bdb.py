"""The app's persistent key-value store under the name real apps have for it: `bdb.get`, `bdb.set` and all that
`dae.api.beansdb.Client` does.

    from dae.api.bdb import bdb             from dae.api import bdb
"""

from dae.api.beansdb import BeansdbError, Client, Version, bdb

__all__ = ["BeansdbError", "Client", "Version", "bdb"]


def __getattr__(name):
    return getattr(bdb, name)
