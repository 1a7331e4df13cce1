"""What could compute a model: measured in turns, how fast each is and how alike it answers."""
