"""dpark's programming interface on an engine of dae's own: `import dpark` leads here where the app does not pin dpark itself.

    rdd, derived, composed, pairs   what is computed; nothing is, until a result is asked for
    textfiles, records, output      files
    shuffle, stages                 how it is cut into tasks
    processes, dask                 where they run: forked processes of this machine, or a Dask cluster

`from dae.api import dpark` is a context that is ready.
"""

from . import rdd  # noqa: F401, I001: the others are made of it
from .bagel import Bagel
from .context import DparkContext
from .options import parser as optParser

__all__ = ["DparkContext", "optParser", "Bagel"]
