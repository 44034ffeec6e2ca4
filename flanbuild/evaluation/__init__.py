"""From a model and its held-out tasks to zero-shot scores, template by template.

    from flanbuild.evaluation.run import evaluate

    evaluate(Path("models/nli"), Path("data/mixtures/flan2021-nli"), Path("data/rendered"), Path("reports/nli"))

Importing it loads neither torch nor transformers.
"""
