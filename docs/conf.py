"""Configuration of Sphinx."""

import sys
from pathlib import Path

import skcolora

sys.path.insert(0, str(Path(__file__).parent))

project = "skcolora"
author = "The skcolora developers"
copyright = "the skcolora developers"
version = release = skcolora.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
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
html_theme = "pydata_sphinx_theme"
html_title = "skcolora"
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Pages without pages below them need no navigation of their section.
html_sidebars = {
    name: []
    for name in ("start", "guide", "method", "results", "comparison", "notebook", "changelog")
}
exclude_patterns = ["_build"]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "tutorials",
    "filename_pattern": "plot_",
    # Less training than by default, so that each tutorial takes less than a minute.
    "reset_argv": "tutorial_arguments.short_training",
    "within_subsection_order": "tutorial_arguments.TutorialOrder",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
}
