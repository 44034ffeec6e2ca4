"""`scores.json`: the scores of an evaluation and what they were computed with; `samples.json`: a few answers to read.

`evaluate` writes both, `report` reads them. They hold all that a report says, so that it needs neither mixture nor model.
"""

from typing import Any, ClassVar, Literal

from flanbuild.artifacts.records import (
    ContaminationRecord,
    Digest,
    HeldOutGroup,
    Part,
    Record,
    SourceRecord,
)
from flanbuild.evaluation.config import ProtocolName
from flanbuild.evaluation.paper import Checked
from flanbuild.model.record import Environment, MixtureRef, TrainedCounts

Role = Literal["tuned", "untuned"]
Split = Literal["test", "dev"]
Ranking = Literal["trees", "pairs", "single", "encoder_decoder"]
SAMPLES = "samples.json"


class TemplateScores(Part):
    """The scores of one model on one task, over its templates."""

    mean: float
    sd: float
    """population standard deviation over templates"""
    stderr: float | None = None
    """standard error of the mean over rows; None for a single row"""
    best: float
    best_template: int
    worst: float
    worst_template: int
    best_on_dev: float | None = None
    """of the template that is best on dev rows; None if no dev rows were scored"""
    best_on_dev_template: int | None = None
    templates: int


class PaperScores(Part):
    """What the paper reports for FLAN 137B."""

    mean: float
    sd: float
    best: float | None = None
    """of the template that was best on the development set"""
    checked: Checked


class Difference(Part):
    """Tuned minus untuned, means over templates, with its 95 % interval over rows."""

    mean: float
    low: float | None = None
    high: float | None = None
    stderr: float | None = None
    """of the mean, over rows; None for a single row"""


class MetricScores(Part):
    """One metric of one task: of each model, and of what needs no model."""

    rows: int
    """rows scored, each under every template"""
    tuned: TemplateScores
    untuned: TemplateScores | None = None
    difference: Difference | None = None
    majority: float | None = None
    """of the most common answer of the dev rows"""
    random: float | None = None
    paper: PaperScores | None = None


class ModelRun(Part):
    """How one model was evaluated."""

    name: str | None
    """the name of a hub model; a folder is identified by its weights"""
    revision: str | None
    weights: dict[str, Digest]
    """sha256 of each file of weights of a folder"""
    architecture: str
    """`model_type` of its configuration, such as llama"""
    parameters: int
    tokenizer: Digest
    dtype: str
    attention: str
    ranking: Ranking
    """how log-likelihoods were computed"""
    truncated_prompts: dict[str, int]
    """task -> prompts that were cut to fit; tasks without one are left out, here and below"""
    border_merges: dict[str, int]
    """task -> pairs of prompt and option that the tokenizer would tokenize in another way as one text"""
    unknown_tokens: dict[str, int] = {}
    """task -> tokens that stand for text that the tokenizer cannot spell"""
    cut_answers: dict[str, int] = {}
    """task -> generated answers that reached max_new_tokens before their end"""
    equal_options: dict[str, int] = {}
    """task -> rows in which two options have the same tokens"""
    constant: dict[str, dict[str, int]] = {}
    """task -> answer -> templates under which the model gives it to every row"""


class TrainingRun(Part):
    """How the tuned model was trained, as its folder says."""

    base: Literal["random weights", "model"]
    """what training started from"""
    config: dict[str, Any]
    """the settings that decide the result, without names and folders"""
    used: TrainedCounts | None
    """what the steps used; None if the folder has no `metrics.json`"""
    dtype: str
    environment: Environment


class TrainedTask(Part):
    """What a task gives to the mixture."""

    cluster: str
    source: SourceRecord
    examples: int
    repeats: int
    """how often its most drawn row comes again"""


class ScoreRecord(Record):
    """`scores.json` of an evaluation."""

    FORMAT: ClassVar[int] = 5

    mixture: MixtureRef
    training: TrainingRun | None
    """None for a model that flanbuild did not train"""
    trained_on: dict[str, TrainedTask]
    """task -> what it gives to the mixture, for those that give something"""
    holdout: tuple[str, ...]
    held_out: dict[str, HeldOutGroup]
    """what is not trained on and by which rule, as the manifest says"""
    related_in_training: dict[str, tuple[str, ...]]
    """held-out name -> tasks trained on that the paper would have held out with it"""
    sources: dict[str, SourceRecord]
    """task -> where its scored rows come from"""
    contamination: ContaminationRecord
    """what of the held-out rows the mixture's training rows carry, as the manifest says"""
    protocol: ProtocolName
    config: dict[str, Any]
    evaluation_sets: dict[str, dict[Split, Digest]]
    """task -> split -> xxh3_128 of its rows, as far as they were scored"""
    models: dict[Role, ModelRun]
    not_asked: dict[Role, str]
    """models that could not be read, and why"""
    scores: dict[str, dict[str, dict[str, MetricScores]]]
    """cluster -> task -> metric, of the held-out tasks"""
    seen: dict[str, dict[str, dict[str, MetricScores]]] = {}
    """the same of trained tasks, on their dev rows"""
    metrics: dict[str, tuple[str, ...]]
    """task -> its declared metrics, the main one first"""
    not_evaluated: dict[str, str]
    """cluster/task -> why"""
    environment: Environment


class Sample(Part):
    """The answers to one prompt."""

    row: int
    template: int
    prompt: str
    options: tuple[str, ...]
    answers: tuple[str, ...]
    """the right ones"""
    predictions: dict[Role, str]
    right: bool
    """whether the tuned model gives one of the answers, white space around them ignored"""


class SampleRecord(Record):
    """`samples.json` of an evaluation: for each scored task a few prompts with their answers."""

    FORMAT: ClassVar[int] = 1

    samples: dict[str, tuple[Sample, ...]]
