"""Orders: from stock over payment to the parcel, with the ways in which that goes wrong."""

import random

from .app import app
from .work import PaymentDeclined, chance, take

STOCK = {"tea-pot": 12, "umbrella": 3, "lamp": 40, "chair": 7, "kite": 25}


@app.task
def validate_order(order):
    take(0.02, 0.08)
    if chance(0.03):
        raise ValueError(f"order {order['id']}: quantity must be positive, not {-order['quantity']}")
    return order


@app.task
def reserve_stock(order):
    take(0.05, 0.25)
    sku = order["sku"] if not chance(0.02) else f"{order['sku']}-discontinued"
    return {**order, "left": STOCK[sku] - order["quantity"]}


@app.task(bind=True, max_retries=3, retry_backoff=True)
def charge_card(self, order, card_token="tok_4242424242424242"):
    """Retries while the bank is out of reach; a refusal is final."""
    take(0.1, 0.5)
    if chance(0.12):
        error = ConnectionError("bank.example.com:443: connection reset by peer")
        raise self.retry(exc=error, countdown=min(2**self.request.retries, 8))
    if chance(0.05):
        raise PaymentDeclined(order["id"], random.choice(["insufficient funds", "card expired", "suspected fraud"]))
    return {**order, "paid": True}


@app.task
def expire_reservations():
    take(0.1, 0.4)
    return {"released": random.randint(0, 9)}


@app.task(ignore_result=True)
def index_product(sku):
    take(0.01, 0.05)


@app.task(soft_time_limit=2, time_limit=6)
def sync_inventory(warehouse):
    """Mostly done in a second; some warehouses never answer in time."""
    take(0.3, 1.0)
    if chance(0.15):
        take(4, 5)
    return {"warehouse": warehouse, "items": len(STOCK)}
