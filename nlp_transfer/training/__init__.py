"""Encoded windows in, a trained model out, through the Hugging Face Trainer."""
