"""Named-entity recognition: one tag for every word."""
