"""The task queue under its other name: see `dae.api.mq`."""

from dae.api.mq import *  # noqa: F401, F403
from dae.api.mq import __all__  # noqa: F401
