from datasets import load_dataset
from datasets.distributed import split_dataset_by_node

stream = load_dataset("data/mixtures/flan2021-without-nli", split="train", streaming=True)
rows = [row for rank in range(2) for row in split_dataset_by_node(stream, rank=rank, world_size=2)]
