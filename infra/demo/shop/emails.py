"""E-mails: many, small, retried when the server is busy."""

import random
import smtplib

from .app import app
from .work import chance, take


RETRYING = {
    "autoretry_for": (smtplib.SMTPServerDisconnected,),
    "retry_backoff": 1,
    "retry_backoff_max": 8,
    "max_retries": 4,
}


def deliver(to, context):
    take(0.03, 0.2)
    if chance(0.08):
        raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
    if chance(0.02):
        # a template asks for what the customer never told
        return context["first_name"]
    return {"message_id": f"<{random.getrandbits(48):x}@shop.example>", "to": to}


@app.task(**RETRYING)
def send_email(template, to, context=None):
    return deliver(to, context or {})


@app.task(**RETRYING)
def confirm_order(order):
    return deliver(order["customer"], {"order": order["id"]})


@app.task
def remind_abandoned_carts():
    carts = random.randint(1, 6)
    for cart in range(carts):
        send_email.delay("abandoned-cart", f"customer-{cart}@example.com")
    return {"reminded": carts}
