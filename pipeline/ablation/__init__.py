"""What each ingredient of the recipes buys: the same training with one thing changed."""
