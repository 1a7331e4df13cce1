"""What labelled files look like, one file a format: reading, writing, recognising."""
