from pathlib import Path

from axolotl.cli.config import load_cfg
from axolotl.common.datasets import load_datasets

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
num_epochs: 1
output_dir: models/axolotl
dataset_prepared_path: models/axolotl/prepared
""")
batches = load_datasets(cfg=load_cfg("axolotl.yaml")).train_dataset
