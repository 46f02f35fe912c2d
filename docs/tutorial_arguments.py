"""Arguments of the examples when the documentation runs them."""

from typing import Any


def short_training(gallery_conf: Any, script_vars: Any) -> list[str]:
    return ["--max-time", "20"]
