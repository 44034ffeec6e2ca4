from glob import glob

import pandas as pd

shards = sorted(glob("data/mixtures/flan2021-without-nli/train/*.arrow"))
rows = pd.concat(map(pd.read_feather, shards)).to_dict("records")
