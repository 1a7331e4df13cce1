"""Run folders: what one run leaves behind, and what it was made with."""
