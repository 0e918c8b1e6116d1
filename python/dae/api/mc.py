"""`dae.api.memcache` under the name that code at Douban had for it."""

from dae.api.memcache import (  # noqa: F401
    Client,
    Empty,
    cache,
    cache_in_obj,
    create_decorators,
    delete_cache,
    listcache,
    mc,
    pcache,
    pcache2,
    servers,
)
