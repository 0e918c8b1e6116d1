"""Users of the site, as `dae.api.users` knows those of the house: the same calls, and a page for everybody."""

from dae.api import users
from dae.api.users import create_login_url, create_logout_url

__all__ = ["User", "create_login_url", "create_logout_url", "get_current_user"]


class User(users.User):
    def url(self):
        return "https://www.douban.com/people/%s/" % (self.username or self.id)


def get_current_user():
    """The user who asks, or None."""
    return users.current(User)
