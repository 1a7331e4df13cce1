"""Text classification: one label, or any number of labels, for a text or a pair of texts."""
