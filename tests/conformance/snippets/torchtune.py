from functools import partial
from itertools import islice

import torch
from torchtune.data import padded_collate_sft
from torchtune.datasets import instruct_dataset
from torchtune.models.llama3 import llama3
from torchtune.modules.transforms.tokenizers import HuggingFaceBaseTokenizer

base = HuggingFaceBaseTokenizer(
    "models/base/tokenizer.json", tokenizer_config_json_path="models/base/tokenizer_config.json"
)


class Tokenizer:
    """One begin token, prompt and completion as one text, one end token; true in the mask means no loss."""

    def __call__(self, sample, inference=False):
        prompt, completion = (message.text_content for message in sample.pop("messages"))
        encoded = base.tokenizer.encode(prompt + completion, add_special_tokens=False)
        mask = [start < len(prompt) for start, _ in encoded.offsets]
        return {
            "tokens": [base.bos_id, *encoded.ids, base.eos_id][:1024],
            "mask": [True, *mask, False][:1024],
        }


batches = instruct_dataset(
    Tokenizer(),
    source="arrow",
    data_files="data/mixtures/flan2021-without-nli/train/*.arrow",
    column_map={"input": "prompt", "output": "completion"},
    split="train",
)
model = llama3(
    vocab_size=base.tokenizer.get_vocab_size(),
    num_layers=1,
    num_heads=2,
    num_kv_heads=2,
    embed_dim=16,
    max_seq_len=1024,
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
collate = partial(padded_collate_sft, padding_idx=base.tokenizer.token_to_id(base.config["pad_token"]))
loader = torch.utils.data.DataLoader(batches, batch_size=4, collate_fn=collate)
trained, losses = [], []
for batch in islice(loader, 3):
    logits = model(batch["tokens"])
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    trained.append(batch)
    losses.append(loss.detach())
