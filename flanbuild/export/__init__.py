"""A mixture, or what it holds out, in the layouts that other programs read."""
