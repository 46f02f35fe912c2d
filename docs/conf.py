"""Configuration of Sphinx."""

import skcolora

project = "skcolora"
author = "The skcolora developers"
copyright = "the skcolora developers"
version = release = skcolora.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "numpydoc"]
numpydoc_show_class_members = False
autosummary_generate = True
autodoc_default_options = {
    "members": True,
    # Methods of the package's own base classes, and not those of scikit-learn and Python.
    "inherited-members": "BaseEstimator, RegressorMixin, MultiOutputMixin, Exception, dict",
    # scikit-learn's metadata routing, of no use here.
    "exclude-members": "get_metadata_routing, set_fit_request, set_predict_request, "
    "set_score_request, with_traceback",
}
autodoc_typehints = "none"
html_theme = "alabaster"
exclude_patterns = ["_build"]
