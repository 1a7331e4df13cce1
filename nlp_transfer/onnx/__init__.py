"""Trained models for onnxruntime: exported, and compared with what they were."""
