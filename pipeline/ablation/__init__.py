"""What each ingredient of the recipes buys: variants of them, seed by seed."""
