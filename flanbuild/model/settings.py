"""Settings that training and evaluation share. Importing this module loads neither torch nor transformers."""

from typing import Literal

Dtype = Literal["auto", "float32", "bfloat16"]
"""`auto` is bfloat16 on a GPU that supports it, and float32 elsewhere."""

Template = Literal["none", "chat"]
"""Whether prompts stand in the chat template of the tokenizer."""

SMALL = "small"
"""The model that is built from sizes and trained from random weights."""
PROMPT_LENGTH = 1024
"""Maximum tokens of a prompt, as in FLAN 2021. A longer prompt loses its beginning."""
IGNORED = -100
"""The label of tokens without loss, as torch and transformers have it."""
