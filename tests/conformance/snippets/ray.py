import ray

rows = ray.data.read_parquet("exports/parquet/train").take_all()
