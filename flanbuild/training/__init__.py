"""From a mixture to a model: tokenize once, pack, train, resume exactly.

    from flanbuild.training.run import train

    train(Path("data/mixtures/flan2021-nli"), Path("models/nli"), TrainConfig(steps=60))

The only home of accelerate, and with `evaluation` of torch and transformers; importing it loads none of them.
"""
