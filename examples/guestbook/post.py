"""What is done behind: mail to whoever keeps the guestbook."""

from email.message import EmailMessage

from dae.api import mq
from dae.api.mail import send_mail

import lines

KEEPER = "keeper@guestbook.example.com"


@mq.task(queue="default", timeout=30)
def tell(number):
    """Mails a new line."""
    line = lines.one(number)
    if line:
        send(f"{line['name']} wrote", line["text"])


def send(subject, text):
    message = EmailMessage()
    message["From"], message["To"] = "guestbook@guestbook.example.com", KEEPER
    message["Subject"] = subject
    message.set_content(text)
    send_mail(message, replyable=False)
