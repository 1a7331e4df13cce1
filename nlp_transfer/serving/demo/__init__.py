"""A page on which models are tried: what it shows, what its visitors may send, a Space of it."""
