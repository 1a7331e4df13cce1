"""What each command does, from its first step to its last; finetune.py is to be read first."""
