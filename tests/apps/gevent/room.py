import gevent
from gevent.event import Event
from gevent.queue import Queue


class Room:
    def __init__(self):
        self.listeners = set()
        self.ticked = Event()

    def join(self):
        queue = Queue()
        self.listeners.add(queue)
        return queue

    def leave(self, queue):
        self.listeners.discard(queue)

    def say(self, text):
        for queue in list(self.listeners):
            queue.put(text)

    def tick(self, every):
        while True:
            gevent.sleep(every)
            self.ticked.set()
            self.say("tick")

    def turn(self, within):
        self.ticked.clear()
        return self.ticked.wait(within)
