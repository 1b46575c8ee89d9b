"""What accuracy costs by each method: the frontier, and the time to an accuracy."""
