import json
from glob import glob

from olmo_core.data import NumpyPaddedFSLDataset

with open("models/base/config.json", encoding="utf-8") as file:
    config = json.load(file)
batches = NumpyPaddedFSLDataset(
    *sorted(glob("exports/olmo-core/train/*.npy")),
    label_mask_paths=sorted(glob("exports/olmo-core/train_label_mask/*.npy")),
    sequence_length=1024,
    pad_token_id=config["pad_token_id"],
    eos_token_id=config["eos_token_id"],
    vocab_size=config["vocab_size"],
)
batches.work_dir = "models/olmo-core"
batches.prepare()
