"""A machine as `pipeline.common.machine` describes it, in words."""

from typing import Any


def machine_in_words(machine: dict[str, Any]) -> str:
    """Return when, on what and with what something was measured."""
    return (
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}; {machine['threads']} threads for "
        f"every method; Python {machine['python']}, torch {machine['torch']} "
        f"({machine['torch_build']} build, {machine['torch_instruction_set']}), NumPy "
        f"{machine['numpy']}, packed engine with {machine['kernels_instruction_set']}"
    )
