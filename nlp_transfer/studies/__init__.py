"""Many runs of one recipe as one thing: what is run, by whom, and what was found."""
