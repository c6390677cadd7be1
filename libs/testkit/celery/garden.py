"""A Celery application for tests: one task for each thing that a monitor has to understand.

Configured by its environment: GARDEN_BROKER, GARDEN_BACKEND (empty: none), GARDEN_SETTINGS (JSON object of Celery
settings, put over the ones below), GARDEN_QUEUES (JSON object: by a queue's name its `arguments`, and where they are not its
own `exchange`, `type` and `routing_key`).
"""
import json
import os
import time

from celery import Celery, chain, chord, group
from celery.contrib.abortable import AbortableTask
from celery.exceptions import Ignore, Reject
from kombu import Exchange, Queue

app = Celery("garden", broker=os.environ.get("GARDEN_BROKER"), backend=os.environ.get("GARDEN_BACKEND") or None)
app.conf.update(
    task_send_sent_event=True,
    task_track_started=True,
    worker_send_task_events=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A test that asks for a clean queue must not wait for prefetched messages of a slow task.
    worker_prefetch_multiplier=1,
)
app.conf.update(json.loads(os.environ.get("GARDEN_SETTINGS") or "{}"))
if os.environ.get("GARDEN_QUEUES"):
    app.conf.task_queues = [
        Queue(
            name,
            Exchange(known.get("exchange", name), type=known.get("type", "direct")),
            routing_key=known.get("routing_key", name),
            queue_arguments=known.get("arguments"),
        )
        for name, known in json.loads(os.environ["GARDEN_QUEUES"]).items()
    ]


class OutOfWater(Exception):
    """What `fail` and `flaky` raise."""


@app.task
def add(x, y):
    return x + y


@app.task
def echo(*args, **kwargs):
    return {"args": args, "kwargs": kwargs}


@app.task(bind=True)
def describe(self):
    """What a task is told about itself: its request, as far as JSON can carry it."""
    return json.loads(json.dumps(vars(self.request), default=repr))


@app.task(bind=True, base=AbortableTask)
def abortable(self, seconds=30.0):
    """Looks twenty times a second whether it is aborted."""
    end = time.time() + seconds
    while time.time() < end:
        if self.is_aborted():
            return "aborted"
        time.sleep(0.05)
    return "done"


@app.task
def fail(message="no water left"):
    raise OutOfWater(message)


@app.task(bind=True, max_retries=10)
def flaky(self, failures=1, countdown=0.1):
    """Asks to be retried `failures` times, then succeeds."""
    if self.request.retries < failures:
        raise self.retry(exc=OutOfWater(f"attempt {self.request.retries + 1}"), countdown=countdown)
    return self.request.retries


@app.task(bind=True)
def slow(self, seconds=1.0, steps=5):
    """Sleeps in steps; each sends a `task-progress` event and, with a backend, a PROGRESS state."""
    for step in range(1, steps + 1):
        time.sleep(seconds / steps)
        self.send_event("task-progress", current=step, total=steps)
        if not self.request.is_eager and app.conf.result_backend:
            self.update_state(state="PROGRESS", meta={"current": step, "total": steps})
    return steps


@app.task(acks_late=True)
def reject(requeue=False):
    """Only a late-acknowledged message can still be rejected."""
    raise Reject("not mine", requeue=requeue)


@app.task
def ignore():
    raise Ignore()


@app.task
def recite(seconds, length):
    """Returns more than events carry."""
    time.sleep(seconds)
    return "x" * length


@app.task(acks_late=True)
def linger(seconds=10.0):
    """Its message stays with the broker until it has ended: a worker that dies leaves it to another."""
    time.sleep(seconds)
    return seconds


@app.task(soft_time_limit=1, time_limit=2)
def overdue(seconds=10.0):
    time.sleep(seconds)


@app.task
def crash():
    """Ends the pool child that runs it, as a segmentation fault would."""
    os._exit(7)


@app.task(bind=True)
def spawn(self, depth=1, width=2):
    """Publishes `width` children from inside the task, down to `depth` levels: gives root and parent ids."""
    if depth > 0:
        for _ in range(width):
            spawn.delay(depth - 1, width)
    return depth


@app.task(bind=True)
def become(self, x, y):
    """Replaced by `add` under the same id."""
    raise self.replace(add.s(x, y))


@app.task
def total(numbers):
    return sum(numbers)


def add_chain(length=3):
    """A chain of `add` that counts to `length`."""
    return chain(add.s(0, 1), *[add.s(1) for _ in range(length - 1)])


def add_group(width=3):
    return group(add.s(n, n) for n in range(width))


def add_chord(width=3):
    """Needs a result backend."""
    return chord((add.s(n, n) for n in range(width)), total.s())
