"""The app's own source: always the newest, and its failures told by file and line."""

import os
import sys
import traceback

# Frames of these say nothing about the app.
MACHINERY = (os.sep + "gunicorn" + os.sep, os.sep + "gevent" + os.sep, "<frozen importlib")
HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
# What fits into one datagram with room to spare.
LONGEST = 60_000


def never_stale(root):
    """Makes imports from `root` pass the bytecode cache by.

    A cached file is known by its second and its size: two edits of one size within a second would show the first.
    Packages keep their cache.
    """
    import importlib._bootstrap_external as machinery

    cache_from_source = machinery.cache_from_source
    venv = os.path.join(root, "venv") + os.sep
    root = root + os.sep

    def uncached(path, *args, **kwargs):
        if path.startswith(root) and not path.startswith(venv):
            # What the loader takes as "there is no cache here".
            raise NotImplementedError
        return cache_from_source(path, *args, **kwargs)

    machinery.cache_from_source = uncached


# What a warm parent had imported when it forked this process; none where there was no parent.
inherited = frozenset()


def borrowed(root):
    """Names of the imported modules that are not the app's own, in the order of their import; None where a parent had all."""
    if inherited and not any(is_borrowed(name, sys.modules.get(name), root) for name in sys.modules.keys() - inherited):
        return None
    return [name for name, module in list(sys.modules.items()) if is_borrowed(name, module, root)]


def is_borrowed(name, module, root):
    file = getattr(module, "__file__", None)
    return bool(file) and not within(file, root) and name != "__main__" and name.partition(".")[0] != "dae"


def explain(error, root):
    """What went wrong at import, for a person: {message, traceback, file, line, column, text}; paths within the app are short."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_machinery(frame.filename)]
    told = {
        "message": "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1],
        "traceback": text(error, frames)[-LONGEST:],
    }
    if isinstance(error, SyntaxError) and error.filename:
        at = (error.filename, error.lineno or 1, error.offset or 1, (error.text or "").rstrip("\n"))
    else:
        # The deepest line of the app's own; what lies below it is somebody else's.
        own = [frame for frame in frames if within(frame.filename, root)] or frames[-1:]
        if not own:
            return told
        at = (own[-1].filename, own[-1].lineno or 1, 1, own[-1].line or "")
    told.update(zip(("file", "line", "column", "text"), at))
    if within(told["file"], root):
        told["file"] = os.path.relpath(told["file"], root)
    return told


def text(error, frames):
    """The traceback as Python prints it, without the frames that are machinery."""
    shown = traceback.TracebackException.from_exception(error)
    part = shown
    while part is not None:
        part.stack = traceback.StackSummary.from_list(
            [frame for frame in part.stack if not is_machinery(frame.filename)]
        )
        part = part.__cause__ or (None if part.__suppress_context__ else part.__context__)
    return "".join(shown.format())


def is_machinery(filename):
    return filename.startswith(HERE) or any(part in filename for part in MACHINERY) or is_stdlib_import(filename)


def is_stdlib_import(filename):
    return filename.endswith(os.path.join("importlib", "__init__.py")) and filename.startswith(sys.base_prefix)


def within(filename, root):
    return filename.startswith(root + os.sep) and not filename.startswith(os.path.join(root, "venv") + os.sep)
