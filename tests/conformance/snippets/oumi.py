from pathlib import Path

from oumi import train
from oumi.builders import build_collator_from_config, build_dataset_mixture, build_tokenizer
from oumi.core.configs import DatasetSplit, TrainingConfig

Path("oumi.yaml").write_text("""
model:
  model_name: models/base
  model_max_length: 1024
  torch_dtype_str: float32
data:
  train:
    collator_name: text_with_padding
    datasets:
      - dataset_name: PromptResponseDataset
        split: train
        dataset_kwargs:
          hf_dataset_path: data/mixtures/flan2021-without-nli
          prompt_column: prompt
          response_column: completion
          assistant_only: true
training:
  trainer_type: TRL_SFT
  max_steps: 3
  per_device_train_batch_size: 4
  output_dir: models/oumi
""")
config = TrainingConfig.from_yaml("oumi.yaml")
train(config)  # `oumi train -c oumi.yaml` does the same

tokenizer = build_tokenizer(config.model)
collate = build_collator_from_config(config, tokenizer)
batches = [collate([row]) for row in build_dataset_mixture(config.data, tokenizer, DatasetSplit.TRAIN)]
