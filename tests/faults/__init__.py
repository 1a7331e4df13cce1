"""Runs that are killed while they work, and what becomes of them: `make test-faults`."""
