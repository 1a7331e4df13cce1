"""Models at work: examples in, predictions out, in the examples' order."""
