"""The one epoch loop, evaluation, checkpoints, schedules."""
