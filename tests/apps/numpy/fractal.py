"""Draws a Mandelbrot set. Its numbers come from a library with threads and random state of its own."""

import json
import zlib
from urllib.parse import parse_qs

import numpy as np

from png import png

drawn = np.random.default_rng().integers(1 << 60)


def mandelbrot(size, rounds):
    x, y = np.meshgrid(np.linspace(-2, 0.6, size), np.linspace(-1.2, 1.2, size))
    c = x + 1j * y
    z, count = np.zeros_like(c), np.zeros(c.shape, dtype=np.uint8)
    for _ in range(rounds):
        inside = np.abs(z) < 2
        z[inside] = z[inside] ** 2 + c[inside]
        count += inside
    return count


def solved(size=300):
    """Whether a product and an inverse agree: large enough to go through the threaded library below."""
    matrix = np.random.rand(size, size) + size * np.eye(size)
    return bool(np.allclose(np.linalg.solve(matrix, matrix @ np.ones(size)), 1))


def app(environ, start_response):
    path = environ["PATH_INFO"]
    query = parse_qs(environ["QUERY_STRING"])
    if path == "/set.png":
        size = min(int(query.get("size", ["64"])[0]), 512)
        kind, body = "image/png", png(mandelbrot(size, 40) * 6)
    elif path == "/alive":
        kind, body = "text/plain", b"turns" if solved() else b"stands still"
    elif path == "/state":
        kind, body = "application/json", json.dumps([float(np.random.rand()), int(drawn)]).encode()
    elif path == "/":
        kind, body = "text/html", b"<h1>A fractal</h1><img src=/set.png><link rel=stylesheet href=/static/fractal.css>"
    else:
        start_response("404 Not Found", [])
        return [b""]
    start_response("200 OK", [("Content-Type", kind), ("ETag", f'"{zlib.crc32(body):x}"')])
    return [body]
