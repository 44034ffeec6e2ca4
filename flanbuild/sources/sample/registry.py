"""Which dataset each hub repository and config stands for."""

from flanbuild.sources.sample import commonsense, nli, reading_comprehension, sentiment, translation
from flanbuild.sources.sample.datasets import Dataset

DATASETS: dict[tuple[str, str], Dataset] = {
    **commonsense.DATASETS,
    **nli.DATASETS,
    **reading_comprehension.DATASETS,
    **sentiment.DATASETS,
    **translation.DATASETS,
}
