"""Tables of the README and of the documentation, from the measured figures.

    python benchmarks/make_tables.py          # rewrite the tables, draw the figures
    python benchmarks/make_tables.py --check  # fail where a table differs from its figures

The figures are those in ``benchmarks/results/*.json``, which the benchmarks write.  A table stands
between two comments that name it: in Markdown ``<!-- table: NAME -->`` and
``<!-- end of table -->``, in reStructuredText ``.. table: NAME`` and ``.. end of table``.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from statistics import median

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from result_tables import FEW_DATA_MODELS, TABLES, TITLES, Results, errors

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "docs" / "guide.rst",
    ROOT / "docs" / "results.rst",
)

MARKED = {
    ".md": re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(\n<!-- end of table -->)", re.DOTALL),
    ".rst": re.compile(r"(\.\. table: (\w+)\n\n)(.*?)(\n\n\.\. end of table)", re.DOTALL),
}
OPENED = {".md": re.compile(r"<!-- table: "), ".rst": re.compile(r"^\.\. table: ", re.MULTILINE)}


def rewritten(text: str, suffix: str, results: Results) -> tuple[str, list[str]]:
    """The text with its tables drawn anew, and the names of those that differ."""
    differing = []

    def redraw(found: re.Match[str]) -> str:
        start, name, old, end = found.groups()
        if name not in TABLES:
            raise SystemExit(f"There is no table {name!r}: use one of {', '.join(TABLES)}.")
        table = TABLES[name](results)
        new = table.markdown() if suffix == ".md" else table.rst()
        if new != old:
            differing.append(name)
        return f"{start}{new}{end}"

    new, count = MARKED[suffix].subn(redraw, text)
    if count != len(OPENED[suffix].findall(text)):
        raise SystemExit("A table is marked at its beginning, but not at its end.")
    return new, differing


def draw_n_width(results: Results, path: Path) -> None:
    """How the error of the best linear space falls with its dimension."""
    figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for row in results.figures("n_width"):
        curve = row["error_in_n_dimensions"]
        ax.semilogy([int(n) for n in curve], list(curve.values()), ".-", label=row["problem"])
    ax.set(xlabel="dimension n of the linear space", ylabel="best relative error")
    ax.set(ylim=(1e-7, 1), xlim=(0, 200))
    figure.legend(loc="outside right center", frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_few_data(results: Results, problems: list[str], path: Path) -> None:
    """One panel for each problem: the median error over the number of trajectories."""
    size = (3.4 * len(problems) + 3, 3.6)
    figure, axes = plt.subplots(1, len(problems), figsize=size, layout="constrained", squeeze=False)
    for ax, problem in zip(axes[0], problems, strict=True):
        for model, label in FEW_DATA_MODELS.items():
            rows = results.figures(f"few_data_{problem}", model=model)
            curve = {
                n: median(errors([row for row in rows if row["trajectories"] == n]))
                for n in sorted({row["trajectories"] for row in rows})
            }
            ax.semilogy(list(curve), list(curve.values()), ".-", label=label.replace("`", ""))
        ax.set(title=TITLES[problem], xlabel="training trajectories")
    figure.supylabel("error at unseen parameters", fontsize="medium")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_figures(results: Results, folder: Path) -> None:
    """The curves of the same figures, where they have been measured."""
    if "n_width" in results:
        draw_n_width(results, folder / "n_width.png")
    problems = [
        problem
        for problem in ("vlasov", "burgers_solved", "rde_solved", "wave")
        if f"few_data_{problem}" in results
        and len(results.argument(f"few_data_{problem}", "counts")) > 1
    ]
    if problems:
        draw_few_data(results, problems, folder / "few_data.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("documents", nargs="*", type=Path, default=DOCUMENTS)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    parser.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    args = parser.parse_args()
    results, wrong = Results(args.results), []
    for document in args.documents:
        text = document.read_text("utf-8")
        new, differing = rewritten(text, document.suffix, results)
        wrong += [f"{document.name}: table {name}" for name in differing]
        if new != text and not args.check:
            document.write_text(new, "utf-8")
    if not args.check:
        draw_figures(results, ROOT / "docs")
    elif wrong:
        sys.exit("Differs from its figures; run benchmarks/make_tables.py:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
