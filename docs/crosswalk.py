"""Prints docs/crosswalk.md: the paper's datasets, the tasks of FLAN's code, and ours.

    python docs/crosswalk.py > docs/crosswalk.md

The names of our tasks in FLAN's code are in the task files, under `flan`. The paper's names of the datasets, and the
differences between paper and code, are in this script.
"""

from itertools import groupby
from pathlib import Path

from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks

TASK_FILES = Path(__file__).parents[1] / "mixtures" / "tasks"

CLUSTER_NAMES = {
    "nli": "natural language inference",
    "commonsense": "commonsense",
    "sentiment": "sentiment",
    "paraphrase": "paraphrase",
    "closed_book_qa": "closed-book QA",
    "struct_to_text": "struct to text",
    "reading_comprehension": "reading comprehension",
    "reading_comprehension_commonsense": "reading comprehension with commonsense",
    "coreference": "coreference",
    "translation": "translation",
    "misc": "miscellaneous",
    "summarization": "summarization",
}
"""The headings of the paper's figure 3, in the order of mixtures/flan2021.yaml."""

DATASET_NAMES = {
    "aeslc": "AESLC",
    "ag_news": "AG News",
    "anli": "ANLI (R1-R3)",
    "arc": "ARC (easy/challenge)",
    "boolq": "BoolQ",
    "cb": "CB",
    "cnn_dailymail": "CNN-DM",
    "cola": "CoLA",
    "common_gen": "CommonGen",
    "copa": "CoPA",
    "coqa": "CoQA",
    "cosmos_qa": "CosmosQA",
    "dart": "DART",
    "dpr": "DPR",
    "drop": "DROP",
    "e2e_nlg": "E2ENLG",
    "fix_punct": "Fix Punctuation (NLG)",
    "gigaword": "Gigaword",
    "hellaswag": "HellaSwag",
    "imdb": "IMDB",
    "math": "Math",
    "mnli": "MNLI (m/mm)",
    "mrpc": "MRPC",
    "multi_news": "Multi-News",
    "multirc": "MultiRC",
    "newsroom": "Newsroom",
    "nq": "NQ",
    "openbookqa": "OBQA",
    "opinion_abstracts_idebate": "Opin-Abs: iDebate",
    "opinion_abstracts_rotten_tomatoes": "Opin-Abs: Movie",
    "para_crawl_enes": "ParaCrawl EN/ES",
    "paws": "PAWS",
    "piqa": "PiQA",
    "qnli": "QNLI",
    "qqp": "QQP",
    "quac": "QuAC",
    "record": "ReCoRD",
    "rte": "RTE",
    "samsum": "SamSum",
    "sentiment140": "Sent140",
    "snli": "SNLI",
    "squad": "SQuAD",
    "sst2": "SST-2",
    "story_cloze": "StoryCloze",
    "stsb": "STS-B",
    "trec": "TREC",
    "trivia_qa": "TQA",
    "web_nlg": "WEBNLG",
    "wic": "WiC",
    "wiki_lingua": "Wiki Lingua EN",
    "winogrande": "Winogrande",
    "wmt14_enfr": "ParaCrawl EN/FR",
    "wmt16_encs": "WMT-16 EN/CS",
    "wmt16_ende": "WMT-16 EN/DE",
    "wmt16_enfi": "WMT-16 EN/FI",
    "wmt16_enro": "WMT-16 EN/RO",
    "wmt16_enru": "WMT-16 EN/RU",
    "wmt16_entr": "WMT-16 EN/TR",
    "wnli": "WNLI",
    "wsc273": "WSC273",
    "xsum": "XSum",
    "yelp": "Yelp",
}

NOTES = {
    "mnli/mismatched": "reads the same train split as matched; only the test split differs",
    "fix_punct/true_case": "not in the figure",
    "fix_punct/word_segment": "not in the figure",
    "wsc273/wsc": "not in the figure; the part with training rows",
    "wsc273/wsc273": "evaluation only",
    "wmt14_enfr": "the code uses WMT-14 instead of the figure's ParaCrawl EN/FR",
    "para_crawl_enes": "the figure lists ParaCrawl EN/DE as well, which makes nine under a heading of eight; the code does not",
}

HEAD = """\
# Crosswalk: paper, FLAN's code, flanbuild

Written by `python docs/crosswalk.py`. The paper (figure 3) counts {datasets} datasets in {clusters} clusters. FLAN's code
has {keys} tasks in {code_clusters} clusters. flanbuild has {tasks} tasks: those of the code, and WSC273, which the code
only evaluates on and puts in no cluster. Rates and caps of a mixture apply per task.

| paper's cluster | paper's dataset | cluster in FLAN's code | task in FLAN's code | our task | note |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Prints the document."""
    clusters = list(CLUSTER_NAMES)
    tasks = sorted(
        load_tasks([TASK_FILES]).values(), key=lambda task: (clusters.index(task.cluster), task.name)
    )
    codes = [_code(task) for task in tasks]
    counts = {
        "datasets": len({task.dataset for task in tasks}),
        "clusters": len({task.cluster for task in tasks}),
        "keys": len({key for cluster, key in codes if cluster}),
        "code_clusters": len({cluster for cluster, _ in codes if cluster}),
        "tasks": len(tasks),
    }
    print(HEAD.format(**counts), end="")
    for cluster, of_cluster in groupby(tasks, key=lambda task: task.cluster):
        heading = f"{CLUSTER_NAMES[cluster]}: `{cluster}`"
        for dataset, of_dataset in groupby(of_cluster, key=lambda task: task.dataset):
            name = DATASET_NAMES[dataset]
            for task in of_dataset:
                code_cluster, key = _code(task)
                cells = (heading, name, code_cluster, f"`{key}`", f"`{task.name}`", NOTES.get(task.name, ""))
                print(f"| {' | '.join(cells)} |")
                heading = name = ""  # only in the first row


def _code(task: Task) -> tuple[str, str]:
    """(cluster, key) in FLAN's code; an empty cluster for a task that it only evaluates on."""
    cluster, _, key = (task.flan or "").rpartition("/")
    return cluster, key


if __name__ == "__main__":
    main()
