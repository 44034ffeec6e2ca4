from litdata import StreamingDataset, index_parquet_dataset
from litdata.streaming.item_loader import ParquetLoader

index_parquet_dataset("exports/parquet/train")
rows = StreamingDataset("exports/parquet/train", item_loader=ParquetLoader(), shuffle=False)
