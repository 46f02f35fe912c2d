"""Public docstrings follow numpydoc, and their examples run."""

import doctest
import importlib
import inspect

import pytest
from numpydoc.validate import validate

FOLDERS = ("datasets", "inspection", "metrics", "model_selection", "pdes")
MODULES = ["skcolora", *(f"skcolora.{folder}" for folder in FOLDERS)]
# Not asked for: an extended summary and examples everywhere, a verb first in a summary,
# the summary on the line after the quotes, a full stop after each description, types of
# attributes written as code.
IGNORED = {"ES01", "EX01", "GL01", "GL02", "GL03", "GL08", "SA01", "SA04", "SS05", "SS06"} | {
    "PR04",
    "PR06",
    "PR08",
    "PR09",
    "RT02",
    "RT03",
    "RT04",
    "RT05",
}


def public_names():
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            thing = getattr(module, name)
            protocol = getattr(thing, "_is_protocol", False)
            if protocol or not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            yield f"{module.__name__}.{name}"
            for method, member in vars(thing).items() if inspect.isclass(thing) else ():
                function = getattr(member, "__func__", member)
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{module.__name__}.{name}.{method}"


# These are returned and not constructed by users: their attributes are described instead.
RETURNED = {
    "skcolora.GalerkinSolution",
    "skcolora.inspection.ErrorBudget",
    "skcolora.model_selection.GreedyResult",
}


@pytest.mark.parametrize("name", sorted(set(public_names())))
def test_docstring_is_complete(name):
    ignored = IGNORED | ({"PR01"} if name in RETURNED else set())
    found = [f"{code}: {text}" for code, text in validate(name)["errors"] if code not in ignored]
    assert validate(name)["docstring"], "no docstring"
    assert not found


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=options)
    n_examples = 0
    for entry in module.__all__:
        for test in doctest.DocTestFinder(recurse=False).find(getattr(module, entry), entry):
            failed, attempted = runner.run(test)
            assert not failed, f"see the example of {entry} in the output"
            n_examples += attempted
    assert n_examples
