"""The generated datasets by hub repository and config."""

from flanbuild.sample import (
    closed_book_qa,
    commonsense,
    coreference,
    misc,
    nli,
    paraphrase,
    reading_comprehension,
    sentiment,
    struct_to_text,
    summarization,
    translation,
)
from flanbuild.sample.dataset import SampleDataset

DATASETS: dict[tuple[str, str], SampleDataset] = {
    **nli.DATASETS,
    **commonsense.DATASETS,
    **sentiment.DATASETS,
    **paraphrase.DATASETS,
    **closed_book_qa.DATASETS,
    **struct_to_text.DATASETS,
    **reading_comprehension.DATASETS,
    **coreference.DATASETS,
    **translation.DATASETS,
    **misc.DATASETS,
    **summarization.DATASETS,
}
