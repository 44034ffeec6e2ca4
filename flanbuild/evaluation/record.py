"""`scores.json`: the scores of an evaluation and what they were computed with. `evaluate` writes it, `report` reads it."""

from typing import Any, ClassVar, Literal

from flanbuild.artifacts.records import Digest, Part, Record
from flanbuild.evaluation.paper import Checked
from flanbuild.model.record import Environment, MixtureRef

Role = Literal["tuned", "untuned"]
Ranking = Literal["trees", "pairs", "encoder_decoder"]


class TemplateScores(Part):
    """The scores of one model on one task, over its templates."""

    mean: float
    sd: float
    """population standard deviation"""
    best: float
    best_template: int
    worst: float
    worst_template: int
    templates: int


class PaperScores(Part):
    """What the paper reports for FLAN 137B."""

    mean: float
    sd: float
    best: float | None = None
    """of the template that was best on the development set"""
    checked: Checked


class MetricScores(Part):
    """One metric of one task: of each model, and of what needs no model."""

    tuned: TemplateScores
    untuned: TemplateScores | None = None
    majority: float | None = None
    random: float | None = None
    paper: PaperScores | None = None


class ModelRun(Part):
    """How one model was evaluated."""

    name: str | None
    """the name of a hub model; a folder is identified by its weights"""
    revision: str | None
    weights: dict[str, Digest]
    """sha256 of each file of weights of a folder"""
    tokenizer: Digest
    dtype: str
    attention: str
    ranking: Ranking
    """how log-likelihoods were computed"""
    truncated_prompts: dict[str, int]
    """task -> prompts that lost their beginning; tasks without one are left out"""
    border_merges: dict[str, int]
    """task -> pairs of prompt and option that the tokenizer would tokenize in another way as one text"""


class ScoreRecord(Record):
    """`scores.json` of an evaluation."""

    FORMAT: ClassVar[int] = 2

    mixture: MixtureRef
    holdout: tuple[str, ...]
    config: dict[str, Any]
    evaluation_sets: dict[str, Digest]
    """task -> xxh3_128 of its rows"""
    models: dict[Role, ModelRun]
    not_asked: dict[Role, str]
    """models that could not be read, and why"""
    scores: dict[str, dict[str, dict[str, MetricScores]]]
    """cluster -> task -> metric"""
    metrics: dict[str, tuple[str, ...]]
    """task -> its declared metrics, the main one first"""
    not_evaluated: dict[str, str]
    """cluster/task -> why"""
    environment: Environment
