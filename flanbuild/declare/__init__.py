"""What people write: task files, mixtures, parameters, and their checks."""
