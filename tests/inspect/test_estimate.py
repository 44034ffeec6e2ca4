"""The estimate is near what rendering writes, and warns of a disk that may become full."""

import pytest

from flanbuild.declare.mixture import Size
from flanbuild.inspect.estimate import Estimate, estimate


def test_the_estimate_counts_the_rows_that_are_rendered(build):
    whole = build()
    records = whole.render()
    guess = estimate(whole.tasks.values(), whole.addresses.raw, whole.mixture, set(whole.members()))

    written = sum(record.splits["train"].examples for record in records.values())
    size = sum(path.stat().st_size for path in whole.rendered.rglob("train.arrow"))
    # Rows that are filtered out or carved for validation are counted too.
    assert written <= guess.examples <= 2.5 * written
    assert size / 2 <= guess.bytes <= 5 * size
    assert guess.free > 0


@pytest.mark.parametrize("changed", [{"cap": 10}, {"size": Size(passes=1)}], ids=["cap", "size"])
def test_cap_and_size_make_it_smaller(build, changed):
    whole = build()
    whole.download()
    tasks, raw, names = whole.tasks.values(), whole.addresses.raw, set(whole.members())

    assert (
        estimate(tasks, raw, whole.mixture.model_copy(update=changed), names).bytes
        < estimate(tasks, raw, whole.mixture, names).bytes
    )


def test_tasks_that_are_not_trained_on_write_nothing(build):
    whole = build()
    whole.download()

    assert estimate(whole.tasks.values(), whole.addresses.raw, whole.mixture, set()).examples == 0


def test_a_disk_that_may_become_full_is_told():
    enough = Estimate(examples=1000, bytes=10**9, free=2 * 10**9)
    short = Estimate(examples=1000, bytes=10**9, free=2 * 10**9 - 1)

    assert str(enough) == (
        "about 1,000 rendered rows, 1.0 GB; a mixture takes as much again at most; 2.0 GB of the disk are free."
    )
    assert str(short).endswith("of the disk are free. The disk may become full.")


def test_a_name_in_a_damaged_footer_that_is_no_text_counts_as_nothing(build):
    whole = build()
    whole.download()
    tasks, raw, names = whole.tasks.values(), whole.addresses.raw, set(whole.members())
    before = estimate(tasks, raw, whole.mixture, names)
    file = raw / "nli" / "rte" / "train.parquet"
    file.write_bytes(file.read_bytes().replace(b"premise", b"premis\xe5"))

    assert estimate(tasks, raw, whole.mixture, names).bytes < before.bytes
