"""A chat on greenlets: messages go from one queue to every listener, by websocket and by server-sent events."""

import gevent
from gevent.event import AsyncResult
from gevent.pool import Pool
from gevent.queue import Queue

from room import Room

room = Room()
pool = Pool(4)
# A greenlet that lives as long as the process.
clock = gevent.spawn(room.tick, 0.05)


def talk(ws):
    messages = room.join()
    reader = gevent.spawn(lambda: [room.say(text) for text in iter(ws.receive, None)])
    try:
        for message in messages:
            ws.send(message)
    finally:
        reader.kill()
        room.leave(messages)


def events(messages):
    try:
        for message in messages:
            yield f"data: {message}\n\n".encode()
    finally:
        room.leave(messages)


def square(result, number):
    gevent.sleep(0.01)
    result.set(number * number)


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/events":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return events(room.join())
    if path == "/alive":
        results = [AsyncResult() for _ in range(4)]
        for number, result in enumerate(results):
            pool.spawn(square, result, number)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"turns" if sum(result.get(timeout=20) for result in results) == 14 and room.turn(20) else b"stands still"]
    if path == "/":
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<h1>Chat here</h1><script src=/static/chat.js></script>"]
    start_response("404 Not Found", [])
    return [b"no such page"]
