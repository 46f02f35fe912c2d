"""Each picture of the documentation, as a function of the measured figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import architecture
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import peers_table
import reynolds
from result_tables import Results


def n_width(results: Results) -> Any:
    """How the error of the best linear space falls with its dimension."""
    figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for row in results.figures("n_width"):
        curve = row["error_in_n_dimensions"]
        ax.semilogy([int(n) for n in curve], list(curve.values()), ".-", label=row["problem"])
    ax.set(xlabel="dimension n of the linear space", ylabel="best relative error")
    ax.set(ylim=(1e-7, 1), xlim=(0, 200))
    figure.legend(loc="outside right center", frameon=False, fontsize="small")
    return figure


def panels(n: int) -> tuple[Any, Any]:
    """A row of n panels, and room for a legend beside it."""
    size = (3.0 * n + 3.0, 3.6)
    figure, axes = plt.subplots(1, n, figsize=size, layout="constrained", squeeze=False)
    return figure, axes[0]


def labelled(figure: Any, axes: Any) -> Any:
    """The figure with one legend, and the words that all panels share."""
    figure.supylabel("error at unseen parameters", fontsize="medium")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize="small")
    return figure


def peers(results: Results) -> Any:
    """One panel for each problem: the error of each method over the seconds of its fit."""
    rows = results.figures("peers")
    titles = {row["problem"]: row["title"] for row in rows}
    figure, axes = panels(len(titles))
    lines = peers_table.methods(peers_table.factors_of(rows))
    markers = "*osD^vPX<>hd8p"
    for ax, (problem, title) in zip(axes, titles.items(), strict=True):
        here = [row for row in rows if row["problem"] == problem]
        for i, (label, belongs) in enumerate(lines.items()):
            best = peers_table.best([row for row in here if belongs(row)])
            seconds = [1.0] if best is None else [max(best["seconds"], 1e-2)]
            # What fails stands at the upper edge.
            value = [float("nan")] if best is None else [min(float(best["error"]), 2.0)]
            color = "tab:red" if i == 0 else f"C{i % 10}"
            marker = markers[i % len(markers)]
            size_of = 16 if i == 0 else 7
            ax.loglog(
                seconds,
                value,
                marker,
                ms=size_of,
                color=color,
                label=label.replace("`", ""),
                linestyle="none",
            )
        ax.set(title=title, xlabel="seconds of the fit", ylim=(None, 2.5))
    return labelled(figure, axes)


def latent_variables(results: Results) -> Any:
    """One panel for each problem: the error of each kind of space over n."""
    rows = results.figures("architecture")
    titles = architecture.titles(rows)
    figure, axes = panels(len(titles))
    for ax, (problem, title) in zip(axes, titles.items(), strict=True):
        for label, curve in architecture.curves(rows, problem).items():
            known = {n: value for n, value in curve.items() if value is not None}
            ax.loglog(list(known), list(known.values()), ".-", label=label)
        ax.set(title=title, xlabel="n")
    return labelled(figure, axes)


def reynolds_number(results: Results) -> Any:
    """One panel for each dimension: the error of each method over the Reynolds number."""
    rows = results.figures("reynolds")
    kinds = list(dict.fromkeys(row["problem"] for row in rows))
    figure, axes = panels(len(kinds))
    for ax, kind in zip(axes, kinds, strict=True):
        of_kind = [row for row in rows if row["problem"] == kind]
        for label, belongs in reynolds.METHODS.items():
            curve = {
                number: reynolds.best(of_kind, number, belongs)
                for number in reynolds.numbers_of(of_kind)
            }
            known = {n: found[1] for n, found in curve.items() if found is not None}
            ax.loglog(list(known), list(known.values()), ".-", label=label.replace("`", ""))
        ax.set(title=f"Burgers, {kind[0]}-D", xlabel="Reynolds number")
    return labelled(figure, axes)


NEEDED = {
    n_width: "n_width",
    peers: "peers",
    latent_variables: "architecture",
    reynolds_number: "reynolds",
}
"""Each picture, and the results without which it is not drawn."""


def draw(results: Results, folder: Path) -> None:
    """All pictures whose figures have been measured, ``<name>.png``."""
    for make, name in NEEDED.items():
        if name in results:
            figure = make(results)
            figure.savefig(folder / f"{make.__name__}.png", dpi=120)
            plt.close(figure)
