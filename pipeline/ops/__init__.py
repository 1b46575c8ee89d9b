"""What looks after the results: verify and recover."""
