"""One module a figure or a kind of figure; each draws from tables and returns a Figure."""
