"""Addresses of static files: ``js_url("js/app.js")``, ``css_url("css/app.css")``; the path is below the app's `static` folder.

The address changes with the file, so browsers may keep it for ever. Where `DAE_CDN` names a server, it is there.
"""

import os
import zlib
from urllib.parse import quote

# What a file's mark was, by its path, size and time.
_marks = {}


def js_url(path):
    return url(path)


def css_url(path):
    return url(path)


def url(path):
    path = path.lstrip("/")
    if path.startswith("static/"):
        path = path[len("static/") :]
    file = os.path.join(os.environ.get("DAE_APPROOT", ""), "static", *path.split("/"))
    mark = _mark(file)
    address = "%s/static/%s" % (os.environ.get("DAE_CDN", "").rstrip("/"), quote(path))
    return address + "?v=" + mark if mark else address


def _mark(file):
    try:
        found = os.stat(file)
        known = (file, found.st_size, found.st_mtime_ns)
        if known not in _marks:
            with open(file, "rb") as content:
                _marks[known] = "%08x" % zlib.crc32(content.read())
        return _marks[known]
    except OSError:
        # The browser will say that it is not there.
        return None
