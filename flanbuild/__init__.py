"""flanbuild: declarations in, instruction-tuning mixtures out, the same bytes every time."""

__version__ = "0.1.0"
