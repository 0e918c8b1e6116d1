"""Writes what an image of Python holds, made of the Python that runs this, as one tar on stdout: the interpreter as
/usr/local/bin/python3, its standard library, and the shared libraries that either needs. No other program is in it.

    python3 tests/kubernetes/base.py > base.tar
"""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile

LEFT_OUT = {"test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "site-packages", "__pycache__"}
# Needed by wheels, and there in every image of Python: what manylinux has of the C library and of C++, and how names are looked up.
ALSO = (
    "libdl.so.2",
    "libgcc_s.so.1",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
)


def main():
    program = os.path.realpath(sys._base_executable)
    library = sysconfig.get_path("stdlib", vars={"base": sys.base_prefix, "installed_base": sys.base_prefix})
    files = [program, *below(library)]
    binaries = [name for name in files if name == program or name.endswith(".so")]
    files += shared(binaries)
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        for name in sorted(set(files)):
            # Whole, whatever it is a link to here.
            entry = tar.gettarinfo(os.path.realpath(name), arcname=name)
            entry.type, entry.linkname, entry.uid, entry.gid, entry.uname, entry.gname = tarfile.REGTYPE, "", 0, 0, "", ""
            entry.size = os.stat(name).st_size
            entry.mode = 0o755 if os.access(name, os.X_OK) else 0o644
            with open(name, "rb") as file:
                tar.addfile(entry, file)
        link = tarfile.TarInfo("usr/local/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, program
        if program != "/usr/local/bin/python3":
            tar.addfile(link)
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(tmp)


def below(top):
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith("config-")]
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not name.startswith("_tkinter"):
                yield path


def shared(binaries):
    """The shared libraries of some programs, as the loader finds them."""
    told = subprocess.run(["ldd", *binaries], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    known = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, text=True).stdout
    found = re.findall(r"(/\S+) \(0x", told)
    for name in ALSO:
        found += re.findall(rf"^\s*{re.escape(name)} .*=> (\S+)$", known, re.MULTILINE)[:1]
    return found


if __name__ == "__main__":
    main()
