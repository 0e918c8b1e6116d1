"""Mails the lines of the last day; run by cron."""

from datetime import datetime, timedelta, timezone

import lines
import post

yesterday = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(days=1)
written = lines.since(yesterday)
print(f"{len(written)} lines")
if written:
    post.send(f"{len(written)} new lines", "\n".join(f"{line['name']}: {line['text']}" for line in written))
