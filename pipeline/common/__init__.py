"""What every package uses and no result depends on: errors, atomic files, the console."""
