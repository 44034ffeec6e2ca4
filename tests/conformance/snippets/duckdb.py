import duckdb

relation = duckdb.sql("SELECT * FROM 'exports/parquet/train/*.parquet'")
rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
