"""Sphinx configuration; ``make docs`` builds offline with warnings as errors."""

from __future__ import annotations

from importlib import import_module

from codex_api import __version__

project = "codex-api"
author = "The codex-api maintainers"
copyright = "The codex-api maintainers"  # noqa: A001 - the name that Sphinx reads
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_extra_path = ["../src/codex_api/testing/scenario.schema.json"]
html_theme = "furo"
html_title = f"codex-api {release}"

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# A short name in an annotation may have several homes.
suppress_warnings = ["ref.python"]
# Annotations name types by where they are defined, which is private or foreign for many of them;
# cross-references that a person wrote are still checked.
nitpick_ignore_regex = [(r"py:(class|exc|obj|data|attr|meth|func|mod)", r".*")]

# What these modules lend on first use is not in them until somebody asks, and autodoc does not.
for _name in ("bulk", "client", "errors", "events", "items", "session", "testing", "transport"):
    _module = import_module(f"codex_api.{_name}")
    for _lent in _module.__all__:
        getattr(_module, _lent)
