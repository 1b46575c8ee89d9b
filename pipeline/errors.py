"""The one exception whose text is meant for the person at the terminal."""


class PipelineError(Exception):
    """Bad input or a failed precondition.

    The message says what is wrong, where, and what to do. `pipeline.cli` prints it without
    a traceback and exits with status 1.
    """
