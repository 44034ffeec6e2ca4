"""Declarations: task files, mixtures and parameters, their registries and their checks."""
