import hashlib


def name_of(url):
    return hashlib.sha256(url.encode()).hexdigest()[:6]
