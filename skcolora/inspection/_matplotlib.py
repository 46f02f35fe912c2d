"""Helpers for matplotlib, which is imported only when a display is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# Share of a colour map that is used for lines; the light end is invisible on white.
_DARK_SHARE = 0.82


def require_matplotlib(caller: str) -> None:
    """Raise an ImportError with advice if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{caller} needs matplotlib: pip install skcolora[plot]") from error


def axes_for(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """The given axes, or the axes of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.figure(figsize=figsize, layout="constrained").add_subplot()


def figure_for(ax: Axes | None, figsize: tuple[float, float], layout: Any) -> Any:
    """A new figure for several panels, or a subfigure that replaces the given axes."""
    if ax is None:
        import matplotlib.pyplot as plt

        return plt.figure(figsize=figsize, layout=layout)
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError(
            "`ax` must come from `plt.subplots` or `figure.add_subplot`, so that panels can "
            "replace it; got axes without a grid specification."
        )
    ax.set_axis_off()
    return ax.figure.add_subfigure(spec)


def whole_figure(ax: Axes) -> Figure:
    """The figure of axes, also if the axes are in a subfigure."""
    figure: Any = ax.get_figure()
    return figure.figure


def line_colormap(name: str | Colormap) -> Colormap:
    """A colour map without its light end."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    full = matplotlib.colormaps.get_cmap(name)
    return ListedColormap(full([_DARK_SHARE * i / 255 for i in range(256)]))
