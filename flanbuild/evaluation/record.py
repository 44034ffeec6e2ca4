"""`scores.json`: the scores of an evaluation and what they were computed with. `evaluate` writes it, `report` reads it."""

from typing import Any, ClassVar, Literal

from flanbuild.artifacts.records import ContaminationRecord, Digest, Part, Record
from flanbuild.evaluation.config import ProtocolName
from flanbuild.evaluation.paper import Checked
from flanbuild.model.record import Environment, MixtureRef

Role = Literal["tuned", "untuned"]
Split = Literal["test", "dev"]
Ranking = Literal["trees", "pairs", "single", "encoder_decoder"]


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


class ScoreRecord(Record):
    """`scores.json` of an evaluation."""

    FORMAT: ClassVar[int] = 4

    mixture: MixtureRef
    holdout: tuple[str, ...]
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
