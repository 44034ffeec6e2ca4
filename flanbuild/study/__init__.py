"""Studies: one mixture after another, each trained and evaluated as a DVC experiment, and compared in one table."""
