"""Pretrained and trained models: found, checked, read, given heads, made fast."""
