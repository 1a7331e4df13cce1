"""The command line: thin wrappers, one file a command; nothing heavy is imported before it runs."""
