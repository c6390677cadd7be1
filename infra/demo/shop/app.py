"""The Celery app of one cluster, chosen by the environment.

DEMO_CLUSTER    shop, analytics or logistics
DEMO_BROKER     broker URL
DEMO_RESULTS    result backend URL
"""

import os

from celery import Celery
from kombu import Queue

CLUSTER = os.environ.get("DEMO_CLUSTER", "shop")

QUEUES = {
    "shop": ["default", "emails", "priority"],
    "analytics": ["default", "reports", "training"],
    "logistics": ["default", "shipping"],
}

MODULES = {
    "shop": ["shop.orders", "shop.emails"],
    "analytics": ["shop.reports", "shop.training"],
    "logistics": ["shop.shipping"],
}

ROUTES = {
    "shop.emails.*": {"queue": "emails"},
    "shop.orders.charge_card": {"queue": "priority"},
    "shop.reports.*": {"queue": "reports"},
    "shop.training.*": {"queue": "training"},
    "shop.shipping.*": {"queue": "shipping"},
}

BEAT = {
    "shop": {
        "abandoned-carts": {"task": "shop.emails.remind_abandoned_carts", "schedule": 20.0},
        "expire-reservations": {"task": "shop.orders.expire_reservations", "schedule": 15.0},
    },
    "analytics": {
        "refresh-dashboard": {"task": "shop.reports.refresh_dashboard", "schedule": 10.0},
        "nightly-export": {"task": "shop.reports.export_orders", "schedule": 45.0, "args": ("orders", 400)},
    },
    "logistics": {
        "poll-carriers": {"task": "shop.shipping.poll_carrier", "schedule": 12.0, "args": ("dhl",)},
    },
}

app = Celery(
    f"{CLUSTER}",
    broker=os.environ.get("DEMO_BROKER", "redis://127.0.0.1:6379/0"),
    backend=os.environ.get("DEMO_RESULTS", "redis://127.0.0.1:6379/0"),
    include=MODULES[CLUSTER],
)

app.conf.update(
    task_queues=[Queue(name) for name in QUEUES[CLUSTER]],
    task_default_queue="default",
    task_create_missing_queues=True,
    task_routes=ROUTES,
    # what a watched cluster should have: events from workers and from senders, and a STARTED state
    worker_send_task_events=True,
    task_send_sent_event=True,
    task_track_started=True,
    result_extended=True,
    result_expires=900,
    worker_prefetch_multiplier=2,
    # lets a chord's callback and a killed worker's task be seen soon
    result_chord_retry_interval=0.5,
    broker_connection_retry=True,
    beat_schedule=BEAT[CLUSTER],
    timezone="UTC",
)
