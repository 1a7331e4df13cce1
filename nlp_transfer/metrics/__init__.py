"""Gold and predicted labels in, figures as fractions out; no torch, no network."""
