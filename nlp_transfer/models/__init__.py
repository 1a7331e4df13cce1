"""Pretrained and trained models: found, checked, given heads, saved, read again, made fast."""
