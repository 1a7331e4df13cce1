"""Models that answer over HTTP: what a stranger may send, who computes, what is counted."""
