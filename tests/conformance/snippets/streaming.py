import json
from glob import glob

from streaming import MDSWriter, StreamingDataset

with MDSWriter(out="exports/mds", columns={"prompt": "str", "completion": "str"}) as writer:
    for path in sorted(glob("exports/jsonl/train/*.jsonl")):
        with open(path, encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                writer.write({"prompt": row["prompt"], "completion": row["completion"]})
rows = StreamingDataset(local="exports/mds", shuffle=False, batch_size=1)
