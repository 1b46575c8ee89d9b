"""What came of a fault."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """A fault that ended as it should.

    Attributes:
        fault: what was done to what.
        said: the message.
        kept: what was still there afterwards.
    """

    fault: str
    said: str
    kept: str

    def __str__(self) -> str:
        return f"{self.fault}\n    said: {self.said}\n    kept: {self.kept}"
