"""The files that app.yaml's static handlers name, sent by the web processes themselves: in a container no gateway stands before
them. The same rules as the gateway's: an entity tag is the digest of what is sent, one range is answered, and what is nobody's
business is not there.
"""

import hashlib
import mimetypes
import os
import re

NEVER_AT_ROOT = {"app.yaml", "dev.yaml", "test.yaml", "pip-req.txt", "venv"}
ONLY_FROM_FOLDERS = {"py", "sql", "thrift", "yaml", "yml", "toml", "ini", "cfg", "sqlite3", "db"}
CHUNK = 1 << 16


class Rules:
    """app.yaml's handlers in their order: who answers a path."""

    def __init__(self, handlers, root, permdir, withheld):
        self.root = os.path.realpath(root)
        self.permdir = permdir
        self.withheld = set(withheld)
        self.rules = [rule(handler) for handler in handlers]
        self.tags = {}

    def answer(self, method, path, headers):
        """What is to be sent for a path: an Answer; or None where a process answers it, or nobody."""
        for pattern, template in self.rules:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if template is None:
                return None
            found = self.find(match.expand(template), names_folder(template))
            if found is None:
                return Answer("404 Not Found")
            if method not in ("GET", "HEAD"):
                return Answer("405 Method Not Allowed", [("Allow", "GET, HEAD")])
            return self.send(found, headers)
        return None

    def find(self, relative, from_folder):
        """The file that is meant, if it is one that may be sent."""
        parts = [part for part in relative.split("/") if part not in ("", ".")]
        if not parts or ".." in parts or "\0" in relative or relative.endswith("/"):
            return None
        relative = "/".join(parts)
        end = os.path.splitext(relative)[1][1:].lower()
        private = (
            parts[0] in NEVER_AT_ROOT
            or "__pycache__" in parts
            or end in ("pyc", "pyo")
            or (not from_folder and end in ONLY_FROM_FOLDERS)
            or relative in self.withheld
        )
        if private:
            return None
        top = self.root
        if parts[0] == "permdir" and self.permdir:
            top, relative = os.path.realpath(self.permdir), "/".join(parts[1:])
        path = os.path.realpath(os.path.join(top, relative))
        # A link must not lead out.
        inside = path.startswith(top + os.sep)
        return path if inside and os.path.isfile(path) else None

    def send(self, path, headers):
        status = os.stat(path)
        size = status.st_size
        tag = self.tag(path, status)
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        if kind.startswith("text/") or kind in ("application/javascript", "application/json"):
            kind += "; charset=utf-8"
        told = [("ETag", tag), ("Cache-Control", "no-cache")]
        wanted = headers.get("if-none-match")
        if wanted is not None and (wanted.strip() == "*" or tag in tags(wanted)):
            return Answer("304 Not Modified", told)
        must = headers.get("if-match")
        if must is not None and must.strip() != "*" and tag not in tags(must):
            return Answer("412 Precondition Failed", told)
        told += [("Content-Type", kind), ("X-Content-Type-Options", "nosniff"), ("Accept-Ranges", "bytes")]
        first, last, status_line = 0, size - 1, "200 OK"
        if headers.get("if-range", tag) == tag:
            wanted = one_range(headers.get("range"), size)
            if wanted == "none":
                return Answer("416 Range Not Satisfiable", told[:2] + [("Content-Range", f"bytes */{size}")])
            if wanted:
                first, last = wanted
                status_line = "206 Partial Content"
                told.append(("Content-Range", f"bytes {first}-{last}/{size}"))
        return Answer(status_line, told, path, first, last - first + 1)

    def tag(self, path, status):
        key = (path, status.st_size, status.st_mtime_ns)
        if key not in self.tags:
            with open(path, "rb") as file:
                digest = hashlib.sha256()
                for chunk in iter(lambda: file.read(CHUNK), b""):
                    digest.update(chunk)
            if len(self.tags) > 8192:
                self.tags.clear()
            self.tags[key] = '"' + digest.hexdigest()[:32] + '"'
        return self.tags[key]


class Answer:
    def __init__(self, status, headers=(), path=None, first=0, length=0):
        self.status = status
        self.path = path
        self.first = first
        self.length = length
        self.headers = list(headers)
        if path is None and not status.startswith("304"):
            self.text = status.partition(" ")[2].encode() + b"\n"
            self.headers += [("Content-Type", "text/plain"), ("Content-Length", str(len(self.text)))]
        else:
            self.text = b""
            if path is not None:
                self.headers.append(("Content-Length", str(length)))

    def chunks(self, method):
        if method == "HEAD":
            return
        if self.path is None:
            yield self.text
            return
        left = self.length
        with open(self.path, "rb") as file:
            file.seek(self.first)
            while left > 0:
                chunk = file.read(min(CHUNK, left))
                if not chunk:
                    return
                left -= len(chunk)
                yield chunk


def rule(handler):
    """(pattern, template); the template is None where a process answers."""
    (kind, what), = handler["serves"].items()
    if kind == "static_files":
        return re.compile(handler["url"]), what
    if kind == "static_dir":
        folder = what.rstrip("/").replace("\\", "\\\\")
        return re.compile(re.escape(handler["url"].rstrip("/")) + "/((?s:.*))"), folder + "/\\1"
    return re.compile(handler["url"]), None


def names_folder(template):
    """Whether the path begins with a folder that the handler names, so that not all of the app lies open."""
    begin = re.split(r"\\(?!\\)", template)[0]
    while begin.startswith("./"):
        begin = begin[2:]
    return "/" in begin or begin == template


def tags(value):
    return [one.strip()[2:] if one.strip().startswith("W/") else one.strip() for one in value.split(",")]


def one_range(value, size):
    """(first, last), None for the whole, or "none" where there is no such part. Several ranges are answered with the whole."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", value.strip()) if value else None
    if not match or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, size - 1) if length else "none"
    first, last = int(first), min(int(last or size), size - 1)
    if first >= size:
        return "none"
    return (first, last) if first <= last else None
