"""A web shop's background work on Celery, small enough to read, odd enough to be worth watching."""
