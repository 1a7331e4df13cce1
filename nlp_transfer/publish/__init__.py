"""A finished run in, a model card and a Hub repository out."""
