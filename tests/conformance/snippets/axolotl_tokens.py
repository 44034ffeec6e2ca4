from pathlib import Path

from axolotl.cli.config import load_cfg
from axolotl.common.datasets import load_datasets

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
num_epochs: 1
output_dir: models/axolotl-tokens
dataset_prepared_path: models/axolotl-tokens/prepared
""")
batches = load_datasets(cfg=load_cfg("axolotl-tokens.yaml")).train_dataset
