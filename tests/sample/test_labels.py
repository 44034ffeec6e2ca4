"""The label of a sample row follows from its text: each test derives the label from the text in another way."""

import re
from collections import defaultdict
from itertools import groupby

import pytest

from flanbuild.sample import lexicon, opinions, sample_records
from flanbuild.sample.entities import KINDS
from flanbuild.sample.events import ACTIVITIES, CAUSES
from flanbuild.sample.senses import SENSES
from flanbuild.sample.winograd import OF_PEOPLE, OF_THINGS


def rows_of(repo: str, config: str, split: str = "train", rows: int = 1500) -> list[dict]:
    return sample_records(repo, config, split, rows=rows)


def stated_facts(text: str, kind_names: tuple[str, ...] = tuple(KINDS)) -> set[tuple[str, str, str]]:
    """Every (kind, relation, value) that the text states with a pattern of the relation."""
    facts = set()
    for kind in kind_names:
        for relation in KINDS[kind].relations:
            for pattern in relation.statements:
                shape = re.escape(pattern).replace(r"\{v\}", "(.+)").replace(r"\{a\}", "an?")
                shape = re.sub(r"\\\{[sop]\\\}", "[^.]+?", shape).removesuffix(r"\.")
                facts |= {
                    (kind, relation.name, match[1].lower())
                    for sentence in re.split(r"(?<=[^ ])\. ?", text)
                    if (match := re.fullmatch(shape, sentence, re.IGNORECASE))
                    and match[1].lower() in lowered_values(kind, relation.name)
                }
    return facts


def lowered_values(kind: str, relation: str) -> set[str]:
    if (kind, relation) not in _VALUES:
        values = next(r.values for r in KINDS[kind].relations if r.name == relation)
        _VALUES[kind, relation] = {value.lower() for value in values}
    return _VALUES[kind, relation]


_VALUES: dict[tuple[str, str], set[str]] = {}


def test_an_anli_hypothesis_restates_contradicts_or_goes_beyond_its_premise():
    for row in rows_of("facebook/anli", "plain_text", "train_r3", 300):
        premise, claims = stated_facts(row["premise"]), stated_facts(row["hypothesis"])
        stated = {fact[:2] for fact in premise}
        assert claims, row["hypothesis"]
        if row["label"] == 0:
            assert claims & premise
        elif row["label"] == 2:
            assert not claims & premise
            assert {claim[:2] for claim in claims} & stated
        else:
            assert not claims & premise


def test_an_rte_hypothesis_is_entailed_if_the_premise_states_it():
    for row in rows_of("aps/super_glue", "rte", rows=300):
        assert bool(stated_facts(row["premise"]) & stated_facts(row["hypothesis"])) == (row["label"] == 0)


def test_a_boolq_answer_is_yes_if_the_passage_has_the_value_of_the_question():
    for row in rows_of("google/boolq", "default", rows=300):
        values = {value for _, _, value in stated_facts(row["passage"])}
        assert any(value in row["question"] for value in values) or not row["answer"]


def test_snli_never_places_one_person_in_two_spots():
    rows = [row for row in rows_of("stanfordnlp/snli", "plain_text") if "doors" in row["hypothesis"]]
    inside = {
        row["premise"].rstrip(".").split(" in ")[-1]
        for row in rows
        if ("indoors" in row["hypothesis"]) == (row["label"] == 0)
    }
    outside = {
        row["premise"].rstrip(".").split(" in ")[-1]
        for row in rows
        if ("outdoors" in row["hypothesis"]) == (row["label"] == 0)
    }

    assert len(rows) > 100
    assert not inside & outside


def test_a_copa_premise_and_its_right_choice_are_cause_and_effect():
    shapes = [tuple(re.sub(r"\\\{\w+\\\}", r"\\w+", re.escape(half)) for half in pair) for pair in CAUSES]
    for row in rows_of("aps/super_glue", "copa"):
        right, wrong = row[f"choice{row['label'] + 1}"], row[f"choice{2 - row['label']}"]
        halves = {
            choice: (row["premise"], choice)[:: 1 if row["question"] == "effect" else -1]
            for choice in (right, wrong)
        }
        fits = {
            choice: any(re.fullmatch(c, x, re.I) and re.fullmatch(e, y, re.I) for c, e in shapes)
            for choice, (x, y) in halves.items()
        }
        assert fits == {right: True, wrong: False}


def test_a_hellaswag_ending_is_a_step_of_its_activity():
    steps = dict(ACTIVITIES)
    for row in rows_of("Rowan/hellaswag", "default"):
        fits = [any(step in ending for step in steps[row["activity_label"]]) for ending in row["endings"]]
        assert fits.index(True) == int(row["label"])
        assert sum(fits) == 1


@pytest.mark.parametrize(
    ("repo", "column"), [("stanfordnlp/imdb", "text"), ("fancyzhx/yelp_polarity", "text")]
)
def test_a_review_has_more_words_of_the_sentiment_of_its_label(repo, column):
    signs = [set(words) for words in (*opinions.QUALITIES, *opinions.PLACE_WORDS)]
    for row in rows_of(repo, "plain_text"):
        words = re.findall(r"[\w-]+", row[column].lower())
        counts = [sum(word in signs[sign] or word in signs[sign + 2] for word in words) for sign in (0, 1)]
        assert counts[row["label"]] > counts[1 - row["label"]]


def test_an_sst2_phrase_has_a_word_of_its_sentiment():
    for row in rows_of("nyu-mll/glue", "sst2"):
        assert any(quality in row["sentence"] for quality in opinions.QUALITIES[row["label"]])


def test_a_paws_negative_has_the_same_words_in_another_order():
    for row in rows_of("google-research-datasets/paws", "labeled_final"):
        first, second = row["sentence1"], row["sentence2"]
        assert first != second
        if row["label"] == 0:
            assert sorted(first.split()) == sorted(second.split())


def test_mrpc_equivalents_state_the_same_values():
    for row in rows_of("nyu-mll/glue", "mrpc", rows=400):
        numbers = [set(re.findall(r"\d[\d,]*", row[f"sentence{i}"])) for i in (1, 2)]
        if row["label"] == 1:
            assert numbers[0] == numbers[1]


def test_stsb_scores_lie_between_zero_and_five():
    rows = rows_of("nyu-mll/glue", "stsb")

    assert {round(row["label"]) for row in rows} == set(range(6))
    assert all(0 <= row["label"] <= 5 for row in rows)


@pytest.mark.parametrize(
    ("repo", "config"), [("rajpurkar/squad", "plain_text"), ("rajpurkar/squad_v2", "squad_v2")]
)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_squad_answer_starts_at_its_answer_start(repo, config, split):
    rows = rows_of(repo, config, split)
    for row in rows:
        for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True):
            assert row["context"][start : start + len(text)] == text
    unanswered = sum(not row["answers"]["text"] for row in rows) / len(rows)
    assert unanswered == 0 if config == "plain_text" else 0.2 < unanswered < 0.45


def test_the_answers_of_a_conversation_are_spans_of_its_text():
    for row in rows_of("stanfordnlp/coqa", "default"):
        answers = row["answers"]
        for text, start, end in zip(*answers.values(), strict=True):
            assert text.lower() in row["story"][start:end].lower() or text in ("yes", "no")
    for row in rows_of("allenai/quac", "plain_text"):
        for text, start in zip(*row["orig_answers"].values(), strict=True):
            assert row["context"][start : start + len(text)] == text
        assert row["context"].endswith("CANNOTANSWER")


def test_a_multirc_question_has_a_right_answer_with_a_value_of_the_paragraph():
    rows = rows_of("aps/super_glue", "multirc")
    for _, answers in groupby(rows, key=lambda row: row["idx"]["question"]):
        answers = list(answers)
        assert len(answers) < 4 or any(row["label"] for row in answers)
        for row in answers:
            if not stated_facts(row["answer"]):
                assert (row["answer"].lower() in row["paragraph"].lower()) == bool(row["label"])


def test_drop_totals_add_up():
    for row in rows_of("ucinlp/drop", "default"):
        goals = [int(n) for n in re.findall(r"(?:scored|added|another) (\d+)", row["passage"])]
        if "in the whole match" in row["question"]:
            assert row["answers_spans"]["spans"] == [str(sum(goals))]
        if "first half" in row["question"]:
            assert row["answers_spans"]["spans"] == [str(goals[0] + goals[1])]


def test_the_answer_to_a_record_query_is_one_of_the_entities():
    for row in rows_of("aps/super_glue", "record"):
        spans = row["entity_spans"]
        assert [row["passage"][a:b] for a, b in zip(spans["start"], spans["end"], strict=True)] == spans[
            "text"
        ]
        assert set(row["answers"]) <= set(row["entities"])
        assert row["query"].count("@placeholder") == 1


def test_every_text_states_every_triple():
    for row in rows_of("GEM/gem", "web_nlg_en", "validation"):
        for triple in row["input"]:
            subject, _, value = (part.replace("_", " ").lower() for part in triple.split(" | "))
            assert all(subject in text.lower() and value in text.lower() for text in row["references"])
    for row in rows_of("Yale-LILY/dart", "default"):
        for _, relation, value in row["tripleset"]:
            if relation != "[TITLE]":
                assert all(value.lower() in text.lower() for text in row["annotations"]["text"])


def test_every_text_states_every_slot_and_every_concept():
    for row in rows_of("GEM/gem", "e2e_nlg"):
        slots = dict(re.findall(r"([\w ]+)\[([^\]]+)\]", row["meaning_representation"]))
        slots.pop(" familyFriendly", None)
        assert all(value in row["target"] for value in slots.values()), (slots, row["target"])
    for row in rows_of("GEM/gem", "common_gen"):
        assert all(concept[:3] in row["target"].lower() for concept in row["concepts"])


def test_the_word_that_decides_a_pronoun_decides_the_answer():
    ways = {
        (pattern, way): i
        for pattern, *both in ((s[0], *s[1:3]) for s in (*OF_PEOPLE, *OF_THINGS))
        for i in (0, 1)
        for way in both[i]
    }
    for row in rows_of("allenai/winogrande", "winogrande_xl"):
        right = row[f"option{row['answer']}"]
        answers = set()
        for (pattern, way), index in ways.items():
            head, tail = pattern.split("{w}")
            shape = re.escape(head).replace(r"\{x\}", "(?:the )?_")
            shape = re.sub(r"\\\{([Aab])\\\}", lambda m: f"(?P<{m[1].lower()}>.+)", shape)
            match = re.fullmatch(f"(?:.+ )?{shape}{re.escape(way + tail)}", row["sentence"], re.IGNORECASE)
            if match:
                answers.add(match["ab"[index]].removeprefix("the "))
        assert any(name.lower().endswith(right.lower()) for name in answers), row


def test_a_pronoun_is_at_its_position():
    for row in rows_of("ErnestSDavis/winograd_wsc", "wsc273", "test"):
        start = row["pronoun_loc"]
        assert row["text"][start : start + len(row["pronoun"])] == row["pronoun"]
        assert row["text"][row["quote_loc"] :].startswith(row["quote"])
    for row in rows_of("aps/super_glue", "wsc"):
        tokens = row["text"].split()
        assert tokens[row["span2_index"]] == row["span2_text"]
        assert " ".join(tokens[row["span1_index"] :]).startswith(row["span1_text"])


def test_a_wic_label_is_true_if_both_sentences_have_the_same_sense():
    shapes = {
        word: [[re.sub(r"\\\{\w\\\}", r"\\w+", re.escape(text)) for text in sense] for sense in senses]
        for word, *senses in SENSES
    }
    for row in rows_of("aps/super_glue", "wic"):
        assert row["sentence1"][row["start1"] : row["end1"]].lower() == row["word"]
        assert row["sentence2"][row["start2"] : row["end2"]].lower() == row["word"]
        senses = [
            [
                any(re.search(f"{shape}$", row[f"sentence{i}"]) for shape in sense)
                for sense in shapes[row["word"]]
            ].index(True)
            for i in (1, 2)
        ]
        assert (senses[0] == senses[1]) == bool(row["label"])


@pytest.mark.parametrize(
    ("repo", "config", "other"),
    [
        *(("wmt/wmt16", f"{other}-en", other) for other in ("cs", "de", "fi", "ro", "ru", "tr")),
        ("wmt/wmt14", "fr-en", "fr"),
        ("ParaCrawl/para_crawl", "enes", "es"),
        ("ParaCrawl/para_crawl", "enda", "da"),
    ],
)
def test_a_translation_has_the_translated_words_of_its_source(repo, config, other):
    english, foreign = defaultdict(set), defaultdict(set)
    for row in rows_of(repo, config):
        pair = row["translation"]
        if not re.fullmatch(r"[A-Z].* .*\.", pair["en"]):
            continue  # debris
        english[pair["en"]].add(pair[other])
        foreign[pair[other]].add(pair["en"])
        for things in (lexicon.PLACES, lexicon.DOINGS):
            for here, there in zip(things["en"], things[other], strict=True):
                if re.search(rf"\b{here}\b", pair["en"]):
                    assert there in pair[other]
        assert re.findall(r"\d+", pair["en"]) == re.findall(r"\d+", pair[other])

    assert len(english) > 1000
    assert max(map(len, english.values())) == 1  # word for word, so one to one
    assert max(map(len, foreign.values())) == 1


def test_mathematics_is_right():
    for row in rows_of("deepmind/math_dataset", "algebra__linear_1d"):
        question, answer = (re.fullmatch(r"b'(.*)\\n'", row[key])[1] for key in ("question", "answer"))
        left, right, name = re.fullmatch(r"Solve (.*) = (.*) for (\w)\.", question).groups()
        assert eval(left, {name: int(answer)}) == eval(right, {name: int(answer)})
    for row in rows_of("deepmind/math_dataset", "arithmetic__add_or_sub"):
        question, answer = (re.fullmatch(r"b'(.*)\\n'", row[key])[1] for key in ("question", "answer"))
        assert eval(re.search(r"(-?\d+ [+-] .*)[?.]$", question)[1]) == int(answer)


def test_an_arc_speed_is_distance_by_time():
    for row in rows_of("allenai/ai2_arc", "ARC-Challenge"):
        if match := re.search(r"travels (\d+) km in (\d+) hours", row["question"]):
            answer = row["choices"]["text"][row["choices"]["label"].index(row["answerKey"])]
            assert answer == f"{int(match[1]) // int(match[2])} km per hour"


def test_a_summary_names_only_people_of_its_text():
    for row in rows_of("knkarthick/samsum", "default"):
        names = set(re.findall(r"\b[A-ZÀ-Ž]\w+", row["summary"]))
        assert all(name in row["dialogue"] for name in names), row
    for row in rows_of("abisee/cnn_dailymail", "3.0.0"):
        assert all(line.removesuffix(" .") in row["article"] for line in row["highlights"].split("\n"))
    for row in rows_of("alexfabbri/multi_news", "default"):
        assert row["summary"].removeprefix("– ").split(". ")[0] in row["document"]


def test_a_how_to_summary_is_the_steps_of_its_document():
    for row in rows_of("GEM/wiki_lingua", "en"):
        assert all(step in row["source"] for step in row["target"].removesuffix(".").split(". "))
