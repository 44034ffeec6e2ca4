import json
from glob import glob

from olmo_core.data import NumpyDataLoaderConfig, NumpyPaddedFSLDataset
from olmo_core.nn.transformer import TransformerConfig
from olmo_core.optim import AdamWConfig
from olmo_core.train import Duration, TrainerConfig, prepare_training_environment
from olmo_core.train.train_module import TransformerTrainModuleConfig

prepare_training_environment(seed=1, backend=None)
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
loader = NumpyDataLoaderConfig(global_batch_size=4 * 1024, seed=1, work_dir="models/olmo-core").build(batches)
model = TransformerConfig.llama_like(d_model=16, n_layers=1, n_heads=2, vocab_size=config["vocab_size"])
module = TransformerTrainModuleConfig(
    rank_microbatch_size=4 * 1024, max_sequence_length=1024, optim=AdamWConfig(lr=1e-4)
)
trainer = TrainerConfig(save_folder="models/olmo-core", save_overwrite=True, max_duration=Duration.steps(3))
trainer.build(module.build(model.build(init_device="cpu")), loader).fit()
