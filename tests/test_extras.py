import pytest

from flanbuild.errors import TRAIN, FlanbuildError, require_train


def test_a_missing_package_is_one_sentence_with_the_cure():
    with pytest.raises(FlanbuildError) as caught:
        require_train("training", ("json", "no_such_package"))
    assert str(caught.value) == "training needs no_such_package: pip install 'flanbuild[train]'."


def test_with_the_extra_nothing_is_missing():
    require_train("training", TRAIN)
