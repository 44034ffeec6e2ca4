"""Text <-> tokens <-> weights, shared by training and evaluation."""
