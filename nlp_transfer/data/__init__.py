"""Labelled text in, checked and normalised splits out."""
