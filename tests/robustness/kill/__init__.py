"""kill -9 at random moments of the pipeline: `python -m tests.robustness.kill KILLS`."""
