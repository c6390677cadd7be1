"""The test application, with tasks that note what they were given and then fail.

NOTES names the file: a line of JSON for each run, with the task's id, the one it repeats, and its arguments as repr. NOTES_NAMES
(JSON array) has the names of further tasks that do the same.
"""
import json
import os

from garden import OutOfWater, app


def note(self, *args, **kwargs):
    line = {"id": self.request.id, "retry_of": getattr(self.request, "meadow_retry_of", None), "got": repr((args, kwargs))}
    # one write of less than a page is whole, whoever else writes
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(line) + "\n")
    raise OutOfWater("noted")


for name in ["notebook.note", *json.loads(os.environ.get("NOTES_NAMES") or "[]")]:
    app.task(note, name=name, bind=True)
