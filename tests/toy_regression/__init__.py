"""Text regression: one number for a text. A third task of one folder, by which tests prove that
nothing outside a task's folder asks which tasks there are."""
