"""Every .thrift file of Apache Thrift's own source, read by dae and by Apache's compiler; who refuses which, and why.

    python apache_files.py DAE FOLDER [BELOW]

FOLDER is a copy of the repository (`git clone https://github.com/apache/thrift`), BELOW a folder in it, `test` if it is not named.
`thrift`, Apache's compiler, is on the path. Prints a table of what is refused and exits with 1 if dae refuses what the compiler takes.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

dae, folder = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
below = sys.argv[3] if len(sys.argv) > 3 else "test"
YAML = "application: files\nhandlers:\n- {url: /.*, wsgi_app: 'app:app'}\nservices_idls: [%s]\n"


NO_NUMBER = re.compile("`(.*)` has no number")


def first_line(text):
    lines = [line for line in text.splitlines() if re.search("error|ERROR|FAILURE", line)] or text.splitlines()
    return re.sub(r"^\[?(error|ERROR|FAILURE)[^ ]* ", "", re.sub(r"/\S*/", "", lines[0])) if lines else "?"


def by_apache(root, file):
    """Why it refuses the file, and all that it says."""
    with tempfile.TemporaryDirectory() as out:
        ran = subprocess.run(
            ["thrift", "-I", ".", "--gen", "py", "-out", out, file], cwd=root, capture_output=True, text=True, timeout=60
        )
    said = ran.stderr + ran.stdout
    return first_line(said) if ran.returncode else None, said


def by_dae(root, file):
    (root / "app.yaml").write_text(YAML % file)
    ran = subprocess.run([dae, "service", "lint"], cwd=root, capture_output=True, text=True, timeout=60)
    assert "panicked" not in ran.stderr, ran.stderr
    return first_line(ran.stderr + ran.stdout) if ran.returncode else None


def main():
    counts = {"taken by both": 0, "refused by both": 0, "refused for what the compiler warns of": 0}
    counts.update({"refused by the compiler alone": 0, "refused by dae alone": 0})
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        for path in folder.rglob("*.thrift"):
            to = root / path.relative_to(folder)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
        files = sorted(str(path.relative_to(root)) for path in (root / below).rglob("*.thrift"))
        for file in files:
            ours, (theirs, said) = by_dae(root, file), by_apache(root, file)
            number = NO_NUMBER.match(ours or "")
            if number and f"No field key specified for {number[1]}," in said:
                verdict, theirs = "refused for what the compiler warns of", f"warns: No field key specified for {number[1]}"
            else:
                whose = {(0, 0): "taken by both", (1, 1): "refused by both", (1, 0): "refused by dae alone"}
                verdict = whose.get((bool(ours), bool(theirs)), "refused by the compiler alone")
            counts[verdict] += 1
            if ours or theirs:
                rows.append((file, ours or "taken", theirs or "taken"))
    print("| file | dae | Apache's compiler |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    print(f"\n{len(files)} files: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    sys.exit(bool(counts["refused by dae alone"]))


main()
