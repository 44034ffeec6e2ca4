"""Raw rows -> prompts and evaluation sets."""
