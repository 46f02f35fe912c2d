"""Arguments of the examples when the documentation runs them, and their order."""

from typing import Any

ORDER = (
    "quickstart",
    "mesh_with_a_hole",
    "own_times",
    "own_equation",
    "boundary_conditions",
    "initial_conditions",
    "uncertainty",
    "many_parameters",
    "larger_than_memory",
)


def short_training(gallery_conf: Any, script_vars: Any) -> list[str]:
    return ["--max-time", "20"]


class TutorialOrder:
    """From the first steps to large problems, as sphinx-gallery asks for it."""

    def __init__(self, source_folder: str) -> None:
        pass

    def __call__(self, name: str) -> int:
        return ORDER.index(name.removeprefix("plot_").removesuffix(".py"))
