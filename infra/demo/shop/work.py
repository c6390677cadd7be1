"""What tasks here have in common: how long they take and how they fail."""

import random
import time


class PaymentDeclined(Exception):
    """The bank said no. Carries what a person needs to look into it."""

    def __init__(self, order_id, reason):
        super().__init__(order_id, reason)
        self.order_id = order_id
        self.reason = reason

    def __str__(self):
        return f"payment for order {self.order_id} declined: {self.reason}"


class CarrierUnavailable(ConnectionError):
    """The parcel service does not answer."""


def take(low, high):
    """Takes a while, in seconds; now and then much longer, as real work does."""
    seconds = random.uniform(low, high)
    if random.random() < 0.03:
        seconds *= 4
    time.sleep(seconds)


def chance(probability):
    return random.random() < probability


def step(task, current, total, note):
    """Tells progress twice: as the task's state, and as an event of our own."""
    task.update_state(state="PROGRESS", meta={"current": current, "total": total, "note": note})
    task.send_event("task-progress", current=current, total=total, note=note)
