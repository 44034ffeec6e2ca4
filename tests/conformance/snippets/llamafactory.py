import json
from pathlib import Path

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer
from llamafactory.train.tuner import run_exp

columns = {"prompt": "prompt", "response": "completion"}
source = {"hf_hub_url": "data/mixtures/flan2021-without-nli", "columns": columns}
Path("dataset_info.json").write_text(json.dumps({"flan": source}))
settings = {"stage": "sft", "do_train": True, "finetuning_type": "full", "model_name_or_path": "models/base"}
settings |= {"dataset_dir": ".", "dataset": "flan", "cutoff_len": 1024, "output_dir": "models/llamafactory"}
settings |= {"max_steps": 3, "per_device_train_batch_size": 4}
run_exp(settings)  # `llamafactory-cli train` does the same

model, data, training, _, _ = get_train_args(settings)
tokenizer = load_tokenizer(model)
template = get_template_and_fix_tokenizer(tokenizer["tokenizer"], data)
batches = get_dataset(template, model, data, training, stage="sft", **tokenizer)["train_dataset"]
