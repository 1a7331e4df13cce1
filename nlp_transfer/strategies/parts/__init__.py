"""What several ways of transferring share."""
