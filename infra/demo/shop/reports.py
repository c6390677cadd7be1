"""Reports: groups that fan out and chords that gather, and a long export with progress."""

import random

from .app import app
from .work import chance, step, take


@app.task
def refresh_dashboard():
    take(0.2, 0.8)
    return {"tiles": 14}


@app.task
def sum_region(region, day):
    take(0.2, 1.2)
    if chance(0.02):
        raise TimeoutError(f"warehouse-{region}: statement cancelled after 30 s")
    return {"region": region, "revenue": round(random.uniform(1_000, 90_000), 2)}


@app.task
def combine_regions(parts, day):
    take(0.1, 0.3)
    return {"day": day, "revenue": round(sum(part["revenue"] for part in parts), 2), "regions": len(parts)}


@app.task
def render_pdf(report):
    take(0.5, 2.0)
    if chance(0.05):
        raise UnicodeEncodeError("latin-1", "Übersicht – €", 10, 11, "ordinal not in range(256)")
    return {"pages": random.randint(2, 40), **(report if isinstance(report, dict) else {})}


@app.task(bind=True)
def export_orders(self, table, rows):
    """Ten to thirty seconds, telling how far it is."""
    steps = 20
    for current in range(1, steps + 1):
        take(0.4, 1.2)
        step(self, current, steps, f"{rows * current // steps} of {rows} rows of {table}")
        if chance(0.004):
            raise OSError(28, "No space left on device", f"/exports/{table}.csv")
    return {"table": table, "rows": rows}
