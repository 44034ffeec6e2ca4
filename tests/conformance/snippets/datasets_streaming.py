from datasets import load_dataset

rows = load_dataset("data/mixtures/flan2021-without-nli", split="train", streaming=True)
