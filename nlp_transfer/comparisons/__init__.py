"""Runs set beside each other on one test set: which is better, and how sure that is."""
