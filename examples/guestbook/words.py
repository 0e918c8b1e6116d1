"""A daemon: counts the words of the newest lines now and then, for the page to show."""

import collections
import re
import time

from dae.api.memcache import mc

import lines

EVERY = 5
SHOWN = 8

while True:
    words = collections.Counter()
    for line in lines.newest(200):
        words.update(word for word in re.findall(r"\w{4,}", line["text"].lower()))
    mc.set("words", [word for word, _ in words.most_common(SHOWN)])
    time.sleep(EVERY)
