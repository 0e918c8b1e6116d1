"""Answers for `every.thrift`: gives back what came, and fails in every way there is."""

import os
import time

from service_gen.every.ttypes import Missing, Worse


def same(self, it):
    return it


class Handler:
    heard = []

    def ping(self, word):
        return "%s %s" % (word, os.getpid())

    def echo(self, thing):
        return thing

    echoBool = echoByte = echoShort = echoInt = echoLong = echoDouble = echoText = echoRaw = echoUuid = same
    echoColor = echoEither = echoList = echoSet = echoMap = echoNested = echoPoints = same

    def nothing(self):
        pass

    def raises(self, which):
        if which == "missing":
            raise Missing("it", 7)
        if which == "worse":
            raise Worse(["a", "b"])
        if which == "other":
            raise ValueError("not in the interface")
        return "fine"

    def raisesNothing(self, which):
        self.raises(which)

    def many(self, c, a, b):
        return c * 100 + a * 10 + b

    def kinds(self, *all):
        return repr(all)

    def things(self, thing):
        return {1: {2: thing, 16: thing}, -1: {}}

    def note(self, text):
        self.heard.append(text)

    def noted(self):
        return self.heard

    def none(self):
        return None

    def wrong(self):
        return "a text"

    def slow(self, ms):
        time.sleep(ms / 1000)
        return "%s %s" % (ms, os.getpid())
