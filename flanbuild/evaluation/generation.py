"""What the model writes, taking the likeliest token each time until the end of the text."""

from collections.abc import Callable, Sequence

import torch

from flanbuild.evaluation.models import EvalModel


@torch.no_grad()
def generate(
    answerer: EvalModel, texts: Sequence[str], advance: Callable[..., None]
) -> tuple[list[str], int]:
    """The answer to each prompt without outer blanks, and how many prompts were cut."""
    prompts, cut = answerer.prompts(texts, answerer.config.max_new_tokens)
    order = sorted(range(len(prompts)), key=lambda place: (-len(prompts[place]), place))
    answers = [""] * len(prompts)
    for start in range(0, len(order), answerer.config.batch):
        places = order[start : start + answerer.config.batch]
        for place, answer in zip(places, _write(answerer, [prompts[place] for place in places]), strict=True):
            answers[place] = answer
        advance(len(places))
    return answers, cut


def _write(answerer: EvalModel, prompts: Sequence[Sequence[int]]) -> list[str]:
    length = max(map(len, prompts))
    tokens = torch.full((len(prompts), length), answerer.pad)
    mask = torch.zeros_like(tokens)
    for row, prompt in enumerate(prompts):  # padding on the left, so that all answers begin at one place
        tokens[row, length - len(prompt) :], mask[row, length - len(prompt) :] = torch.tensor(prompt), 1
    device = answerer.model.device
    written = answerer.model.generate(input_ids=tokens.to(device), attention_mask=mask.to(device))
    new = written if answerer.encoder_decoder else written[:, length:]
    return [text.strip() for text in answerer.tokenizer.batch_decode(new.cpu(), skip_special_tokens=True)]
