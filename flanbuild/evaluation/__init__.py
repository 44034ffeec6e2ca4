"""From a model and its held-out tasks to zero-shot scores, template by template.

>>> evaluate(Path("models/nli"), Path("data/mixtures/flan2021-nli"), Path("data/rendered"),
Path("reports/nli"))

Importing it loads neither torch nor transformers.
"""

from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.run import evaluate

__all__ = ["EvaluateConfig", "evaluate"]
