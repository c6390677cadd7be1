"""Gives a demo cluster something to do: a few tasks a second, more in waves. `python3 -m shop.traffic`."""

import math
import random
import signal
import sys
import time

from celery import chain, chord, group

from .app import CLUSTER, app


def new_order():
    number = random.randint(10_000, 99_999)
    return {
        "id": number,
        "sku": random.choice(["tea-pot", "umbrella", "lamp", "chair", "kite"]),
        "quantity": random.randint(1, 3),
        "customer": f"customer-{number}@example.com",
    }


def shop():
    from .emails import confirm_order, send_email
    from .orders import charge_card, index_product, reserve_stock, sync_inventory, validate_order

    def order():
        steps = [validate_order.s(new_order()), reserve_stock.s(), charge_card.s(), confirm_order.s()]
        chain(*steps).apply_async()

    def newsletter():
        group(send_email.s("newsletter", f"reader-{n}@example.com") for n in range(random.randint(3, 8))).apply_async()

    def flash_sale():
        # gone before a worker may take it
        send_email.apply_async(("flash-sale", "vip@example.com"), countdown=4, expires=2)

    def second_thoughts():
        result = send_email.apply_async(("goodbye", "leaver@example.com"), countdown=6)
        result.revoke()

    return [
        (30, order),
        (25, lambda: index_product.delay(random.choice(["tea-pot", "lamp", "kite"]))),
        (20, lambda: send_email.delay("password-reset", "someone@example.com", {"token": "s3cr3t-reset-token"})),
        (6, lambda: sync_inventory.delay(random.choice(["berlin", "lyon", "porto"]))),
        (4, newsletter),
        (2, flash_sale),
        (2, second_thoughts),
    ]


def analytics():
    from .reports import combine_regions, export_orders, render_pdf, sum_region
    from .training import score_customers, train_model

    def daily_report():
        day = time.strftime("%Y-%m-%d")
        regions = [sum_region.s(region, day) for region in ("north", "south", "east", "west")]
        chain(chord(regions, combine_regions.s(day)), render_pdf.s()).apply_async()

    def cancelled_training():
        result = train_model.apply_async(("churn-experiment",), {"epochs": 30})
        time.sleep(3)
        result.revoke(terminate=True)

    return [
        (40, lambda: score_customers.delay(random.choice(["new", "loyal", "lost"]), random.randint(100, 9_000))),
        (12, daily_report),
        (6, lambda: render_pdf.delay({"kind": "invoice"})),
        (2, lambda: export_orders.delay("customers", 900)),
        (3, lambda: train_model.delay(random.choice(["churn", "pricing", "fraud"]))),
        (1, cancelled_training),
    ]


def logistics():
    from .shipping import poll_carrier, print_label, track_parcel

    parcel = lambda: f"P{random.randint(100_000, 999_999)}"
    return [
        (40, lambda: track_parcel.delay(parcel())),
        (15, lambda: chain(print_label.s(parcel()), track_parcel.si(parcel())).apply_async()),
        (5, lambda: poll_carrier.delay(random.choice(["dhl", "ups", "gls"]))),
    ]


MENUS = {"shop": shop, "analytics": analytics, "logistics": logistics}
# sends a second on average; a send may be a chain or a group of several tasks
RATES = {"shop": 1.6, "analytics": 0.5, "logistics": 0.8}


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    menu = MENUS[CLUSTER]()
    weights = [weight for weight, _ in menu]
    started = time.monotonic()
    # one of each, so that there is something of everything to see from the start
    for _, send in menu:
        send()
    while True:
        wave = 1 + 0.7 * math.sin((time.monotonic() - started) / 40)
        time.sleep(random.expovariate(RATES[CLUSTER] * wave))
        random.choices(menu, weights)[0][1]()


if __name__ == "__main__":
    main()
