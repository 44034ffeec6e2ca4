from torchtune.datasets import instruct_dataset
from torchtune.modules.transforms.tokenizers import HuggingFaceBaseTokenizer

base = HuggingFaceBaseTokenizer(
    "models/base/tokenizer.json", tokenizer_config_json_path="models/base/tokenizer_config.json"
)


class Tokenizer:
    """One begin token, the messages apart, one end token."""

    def __call__(self, sample, inference=False):
        tokens, mask = [base.bos_id], [True]
        for message in sample.pop("messages"):
            piece = base.tokenizer.encode(message.text_content, add_special_tokens=False).ids
            tokens, mask = tokens + piece, mask + [message.masked] * len(piece)
        return {"tokens": [*tokens, base.eos_id][:1024], "mask": [*mask, False][:1024]}


batches = instruct_dataset(
    Tokenizer(),
    source="arrow",
    data_files="data/mixtures/flan2021-without-nli/train/*.arrow",
    column_map={"input": "prompt", "output": "completion"},
    split="train",
)
