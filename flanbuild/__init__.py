"""flanbuild: declarations in, instruction-tuning mixtures out, the same bytes every time."""
