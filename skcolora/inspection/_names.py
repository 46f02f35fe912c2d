"""Names and units of what a display shows, as labels of axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Names:
    """Names of the coordinates and of a field, and units of these and of the time."""

    symbol: str = "$u$"
    coordinates: Sequence[str] = ()
    """Empty: x in one dimension, and x with an index in several"""
    units: Mapping[str, str] = field(default_factory=dict)
    """Units of these names, and of "time" """

    def coordinate(self, d: int, n_dims: int) -> str:
        """Label of the axis of coordinate d."""
        if self.coordinates:
            return self._with_unit(self.coordinates[d])
        return "$x$" if n_dims == 1 else f"$x_{d}$"

    @property
    def time(self) -> str:
        """Label of the axis of the time."""
        unit = self.unit("time")
        return f"$t$ ({unit})" if unit else "$t$"

    @property
    def value(self) -> str:
        """Label of the axis of the field."""
        return self._with_unit(self.symbol)

    def time_text(self, t: float) -> str:
        """A time with its unit, such as "$t$ = 0.5 s"."""
        unit = self.unit("time")
        return f"$t$ = {t:.4g} {unit}" if unit else f"$t$ = {t:.4g}"

    def unit(self, name: str) -> str:
        """Unit of a name; empty if it is not known."""
        return self.units.get(name, "")

    def _with_unit(self, name: str) -> str:
        unit = self.unit(name)
        return f"{name} ({unit})" if unit else name
