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

from result_figures import draw
from result_tables import TABLES, Results

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "docs" / "guide.rst",
    ROOT / "docs" / "peers.rst",
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
        draw(results, ROOT / "docs")
    elif wrong:
        sys.exit("Differs from its figures; run benchmarks/make_tables.py:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
