"""Parcels: other people's web services."""

import random

from .app import app
from .work import CarrierUnavailable, chance, take


@app.task
def print_label(parcel):
    take(0.05, 0.3)
    return {"parcel": parcel, "label": f"LBL{random.randint(10_000, 99_999)}"}


@app.task(bind=True, max_retries=3)
def poll_carrier(self, carrier):
    take(0.1, 0.6)
    if chance(0.2):
        raise self.retry(exc=CarrierUnavailable(f"{carrier}: 503 Service Unavailable"), countdown=2)
    return {"carrier": carrier, "updates": random.randint(0, 30)}


@app.task
def track_parcel(parcel):
    take(0.02, 0.15)
    if chance(0.02):
        raise LookupError(f"parcel {parcel} is unknown to every carrier")
    return random.choice(["in transit", "delivered", "at customs"])
