from oumi.builders import build_tokenizer
from oumi.core.configs import ModelParams
from oumi.datasets import PromptResponseDataset

tokenizer = build_tokenizer(ModelParams(model_name="models/base", model_max_length=1024))
tokenizer.chat_template = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
)
batches = PromptResponseDataset(
    hf_dataset_path="data/mixtures/flan2021-without-nli",
    split="train",
    prompt_column="prompt",
    response_column="completion",
    tokenizer=tokenizer,
    assistant_only=True,
)
