from pathlib import Path

from axolotl.cli.config import load_cfg
from axolotl.common.datasets import load_datasets
from axolotl.train import train

Path("axolotl-tokens.yaml").write_text("""
base_model: models/base
datasets:
  - path: exports/tokens
    split: train
    type:
sequence_len: 1024
micro_batch_size: 4
gradient_accumulation_steps: 1
learning_rate: 1.0e-4
optimizer: adamw_torch
bf16: false  # leave this line out where there is a GPU
max_steps: 3
output_dir: models/axolotl-tokens
dataset_prepared_path: models/axolotl-tokens/prepared
""")
config = load_cfg("axolotl-tokens.yaml")
data = load_datasets(cfg=config)
train(cfg=config, dataset_meta=data)  # `axolotl train axolotl-tokens.yaml` does the same
batches = data.train_dataset
