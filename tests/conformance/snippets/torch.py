import flanbuild

examples = flanbuild.load("data/mixtures/flan2021-without-nli")
loaders = [examples.loader(4, rank=rank, world_size=2, seed=1, num_workers=2) for rank in range(2)]
rows = [row for loader in loaders for batch in loader for row in batch]
