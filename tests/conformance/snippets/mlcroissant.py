import mlcroissant

dataset = mlcroissant.Dataset("exports/hub/croissant.json")
rows = [{key.removeprefix("train/"): value for key, value in row.items()} for row in dataset.records("train")]
