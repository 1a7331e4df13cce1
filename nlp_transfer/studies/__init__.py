"""Runs set beside each other: comparisons of two or more, and studies of one recipe."""
