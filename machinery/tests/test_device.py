"""Where a model is trained: params.yaml asks, the machine says what it is for, the report tells."""

import pytest

from mlops.errors import UserError
from mlops.report.subject import device
from mlops.steps import train


@pytest.mark.parametrize(
    ("asked", "given", "used"),
    [
        ("auto", "", "auto"),
        ("cuda", "cpu", "cpu"),
        ("cpu", "gpu", "auto"),
        ("auto", "gpu", "auto"),
        ("cuda", "gpu", "cuda"),
    ],
)
def test_a_machine_without_a_gpu_never_needs_one_and_a_demand_stays_one(asked, given, used):
    assert train._device(asked, given) == used  # pylint: disable=protected-access


def test_another_word_is_a_mistake():
    with pytest.raises(UserError, match="MLOPS_DEVICE is 'tpu'. It is cpu, gpu"):
        train._device("cpu", "tpu")  # pylint: disable=protected-access


@pytest.mark.parametrize(
    ("wanted", "effective", "told"),
    [
        ("gpu", "cuda:0", "cuda:0"),
        ("cuda", "cuda:0", "cuda:0"),
        ("auto", "cpu", "cpu"),
        ("cpu", "cpu", "cpu"),
        ("gpu", "cpu", "cpu (gpu requested)"),
    ],
)
def test_the_report_says_what_was_got_instead(wanted, effective, told):
    assert device({"training": {"device": {"wanted": wanted, "effective": effective}}}) == told
