"""Calling Thrift services, and what travels along with a call.

The usual way to call another app is to install its client (``dae service gen_client`` in that app writes it) and
``from <app>_client import <Service>``. Here is what goes beyond:

    client("user", UserStorage)     a client made of a generated module, `service_gen.user.UserStorage`
    with within(0.5): ...           the calls inside tell that their answers are of no use later than in half a second
    deadline(), request_id()        in a handler: how long its answer is of use; the request it is made for
"""

from dae.thrift.about import deadline, request_id, within

__all__ = ["client", "deadline", "request_id", "within"]


def client(app, module, service=None, **params):
    """A client of the service that a generated module describes; `params` are `retries`, `connect_timeout`, `read_timeout`."""
    from dae.thrift import _rt

    def caller(method):
        def call(self, *args, **named):
            return self._call(method, method.args(*args, **named))

        call.__name__ = method.name
        return call

    name = service or module.__name__.rpartition(".")[2]
    methods = {one: caller(method) for one, method in module.METHODS.items()}
    return type(name + "Client", (_rt.Client,), methods)(app, name, **params)
