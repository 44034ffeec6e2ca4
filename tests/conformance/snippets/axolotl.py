from pathlib import Path

from axolotl.cli.config import load_cfg
from axolotl.common.datasets import load_datasets
from axolotl.train import train

Path("axolotl.yaml").write_text("""
base_model: models/base
datasets:
  - path: data/mixtures/flan2021-without-nli
    split: train
    type:
      system_prompt: ""
      field_instruction: prompt
      field_output: completion
      format: "{instruction}"
      no_input_format: "{instruction}"
train_on_inputs: false
sequence_len: 1024
micro_batch_size: 4
gradient_accumulation_steps: 1
learning_rate: 1.0e-4
optimizer: adamw_torch
bf16: false  # leave this line out where there is a GPU
max_steps: 3
output_dir: models/axolotl
dataset_prepared_path: models/axolotl/prepared
""")
config = load_cfg("axolotl.yaml")
data = load_datasets(cfg=config)
train(cfg=config, dataset_meta=data)  # `axolotl train axolotl.yaml` does the same
batches = data.train_dataset
