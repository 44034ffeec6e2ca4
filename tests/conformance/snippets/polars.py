import polars as pl

rows = pl.scan_ipc("data/mixtures/flan2021-without-nli/train").collect().iter_rows(named=True)
