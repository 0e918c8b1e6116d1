"""Found by every Python that `dae run` starts: puts the app's code first and the runtime set last on the path.

Then it steps aside for a sitecustomize of the machine or the virtualenv, which this one has hidden.
"""

import os
import sys


def _place():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    root, runtime = os.environ.get("DAE_APPROOT"), os.environ.get("DAE_RUNTIME")
    if root and root not in sys.path:
        sys.path.insert(0, root)
    # What dae brings is no business of pip's: it would list it, or take it out.
    runs_pip = any(os.path.basename(word).startswith("pip") for word in sys.orig_argv[1:3])
    if runtime and runtime not in sys.path and not runs_pip:
        sys.path.append(runtime)
        from dae import defaults

        defaults.install()
    this = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401
    except ImportError:
        # Python looks for what it has just imported.
        sys.modules["sitecustomize"] = this


_place()
