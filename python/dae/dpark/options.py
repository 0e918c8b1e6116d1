"""The command line of a dpark script: `python wc.py -m process -p 4 input output`."""

import optparse
import os
import sys

from . import conf


class Stopped(Exception):
    """An option that is none."""


class Parser(optparse.OptionParser):
    """Takes the options that are known, and leaves everything from the first other one to the script."""

    def _process_args(self, largs, rargs, values):
        while rargs:
            word = rargs[0]
            if word == "--":
                del rargs[0]
                return
            if not word.startswith("-") or word == "-":
                return
            try:
                (self._process_long_opt if word.startswith("--") else self._process_short_opts)(rargs, values)
            except optparse.BadOptionError:
                largs.append(word)
                return


parser = Parser(usage="%prog [options] [args]")
group = optparse.OptionGroup(parser, "dpark")
group.add_option("-m", "--master", default="", help="local: in this process; process: in as many as there are processors (the default)")
group.add_option("-p", "--parallel", type="int", default=0, help="how many processes")
group.add_option("-M", "--mem", help="memory of a task, as in 300m or 1g, before it goes on, on disk")
group.add_option("--err", type="float", default=0.0, help="share of records that may fail and are left out")
group.add_option("--checkpoint_dir", default="", help="folder for checkpoints")
parser.add_option_group(group)
parser.add_option("-q", "--quiet", action="store_true")
parser.add_option("-v", "--verbose", action="store_true")
# Of a Mesos cluster: taken, and without effect.
unused = optparse.OptionGroup(parser, "without effect here")
for short, name in [("-c", "cpus"), ("-g", "group"), (None, "role"), ("-I", "image"), ("-V", "volumes")]:
    unused.add_option(*[word for word in (short, "--" + name) if word], dest=name, help=optparse.SUPPRESS_HELP)
for name in ("color", "no-color", "profile"):
    unused.add_option("--" + name, action="store_true", help=optparse.SUPPRESS_HELP)
parser.add_option_group(unused)


def read():
    """The options of the command line, where this process is a script of the user's; else the defaults."""
    options = parser.get_default_values()
    if own_script():
        # Nothing is refused here: the script may read the same line in its own way.
        error, parser.error = parser.error, stop
        try:
            options, _ = parser.parse_args()
        except Stopped:
            pass
        finally:
            parser.error = error
    options.mem = megabytes(options.mem) if options.mem else conf.MEM_PER_TASK
    return options


def stop(message):
    raise Stopped(message)


def own_script():
    """Not a program that has been installed, as pytest and gunicorn are."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is None or "dae.web" in sys.modules:
        return False
    main = os.path.realpath(main)
    installed = [sys.prefix, sys.base_prefix, os.environ.get("DAE_RUNTIME")]
    return not any(main.startswith(os.path.realpath(folder) + os.sep) for folder in installed if folder)


def megabytes(text):
    units = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}
    text = str(text).strip().lower().rstrip("b")
    unit = units.get(text[-1:])
    return float(text[:-1]) * unit if unit else float(text)
