"""Machine learning: few, long, memory-hungry."""

import os
import random
import signal

from celery.exceptions import SoftTimeLimitExceeded

from .app import app
from .work import chance, step, take


@app.task(bind=True, soft_time_limit=25, time_limit=40)
def train_model(self, model, epochs=12):
    """Runs until it is good, or out of time, or out of memory."""
    loss = 2.0
    try:
        for epoch in range(1, epochs + 1):
            take(0.8, 1.8)
            loss *= random.uniform(0.75, 0.97)
            step(self, epoch, epochs, f"epoch {epoch}: loss {loss:.3f}")
            if chance(0.006):
                # what the kernel does to a process that eats too much
                os.kill(os.getpid(), signal.SIGKILL)
    except SoftTimeLimitExceeded:
        return {"model": model, "loss": loss, "stopped": "out of time"}
    if loss != loss or loss > 1.5:
        raise FloatingPointError(f"{model}: loss {loss:.3f} does not converge")
    return {"model": model, "loss": round(loss, 4)}


@app.task
def score_customers(segment, size):
    take(0.1, 0.6)
    return {"segment": segment, "scored": size}
