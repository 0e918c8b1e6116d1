import threading
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(1)
ready = pool.submit(lambda: "clear").result()


class Refresher(threading.Thread):
    def __init__(self, every):
        super().__init__(name="refresher", daemon=True)
        self.every, self.said = every, ready
        self.turned = threading.Condition()

    def run(self):
        stop = threading.Event()
        while not stop.wait(self.every):
            self.said = pool.submit(lambda: "clear").result()
            with self.turned:
                self.turned.notify_all()

    def turn(self, within):
        with self.turned:
            return self.turned.wait(within)
