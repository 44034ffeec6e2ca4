from datasets import load_dataset
from torchdata.stateful_dataloader import StatefulDataLoader

dataset = load_dataset("data/mixtures/flan2021-without-nli", split="train")
loader = StatefulDataLoader(dataset, batch_size=4, num_workers=2, collate_fn=list)
rows = [row for batch in loader for row in batch]
