"""Builds this package for pip and its like, with nothing but Python: the same files make the same bytes."""

import base64
import hashlib
import io
import os
import tarfile
import zipfile

NAME, VERSION, REQUIRES = {{ name }}, {{ version }}, {{ requires }}
HERE = os.path.dirname(os.path.abspath(__file__))
INFO = f"{NAME}-{VERSION}.dist-info"
METADATA = f"""Metadata-Version: 2.1
Name: {NAME}
Version: {VERSION}
Summary: {{ summary }}
Requires-Python: >=3.9
{"".join(f"Requires-Dist: {one}{chr(10)}" for one in REQUIRES)}"""
WHEEL = "Wheel-Version: 1.0\nGenerator: dae\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def files():
    for folder, folders, names in os.walk(HERE):
        folders[:] = sorted(one for one in folders if one.isidentifier() and one != "__pycache__")
        for name in sorted(names):
            if name.endswith((".py", ".pyi", ".thrift", "py.typed")) or (folder == HERE and name == "README.md"):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    yield os.path.relpath(path, HERE).replace(os.sep, "/"), file.read()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    contents = [(f"{NAME}/{path}", data) for path, data in files() if path not in ("_build.py", "README.md")]
    contents += [(f"{INFO}/METADATA", METADATA.encode()), (f"{INFO}/WHEEL", WHEEL.encode())]
    name, record = f"{NAME}-{VERSION}-py3-none-any.whl", ""
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:

        def add(path, data):
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, data, zipfile.ZIP_DEFLATED)

        for path, data in contents:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(data)}\n"
            add(path, data)
        add(f"{INFO}/RECORD", record + f"{INFO}/RECORD,,\n")
    return name


def build_sdist(sdist_directory, config_settings=None):
    base = f"{NAME}-{VERSION}"
    with open(os.path.join(HERE, "pyproject.toml"), "rb") as file:
        contents = [*files(), ("pyproject.toml", file.read()), ("PKG-INFO", METADATA.encode())]
    name = f"{base}.tar.gz"
    with tarfile.open(os.path.join(sdist_directory, name), "w:gz") as sdist:
        for path, data in contents:
            entry = tarfile.TarInfo(f"{base}/{path}")
            entry.size, entry.mode = len(data), 0o644
            sdist.addfile(entry, io.BytesIO(data))
    return name
