import mlcroissant

dataset = mlcroissant.Dataset("exports/hub/croissant.json")
names = [record_set.uuid for record_set in dataset.metadata.record_sets]
records = [record for name in names for record in dataset.records(name)]
