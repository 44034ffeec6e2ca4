import pyarrow.dataset

rows = (
    pyarrow.dataset.dataset("data/mixtures/flan2021-without-nli/train", format="arrow").to_table().to_pylist()
)
