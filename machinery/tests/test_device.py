"""The training device: from params.yaml and MLOPS_DEVICE, as the report shows it."""

import pytest

from mlops.errors import UserError
from mlops.report.subject import device
from mlops.steps import train


@pytest.mark.parametrize(
    ("configured", "variable", "used"),
    [
        ("auto", "", "auto"),
        ("cuda", "cpu", "cpu"),
        ("cpu", "gpu", "auto"),
        ("auto", "gpu", "auto"),
        ("cuda", "gpu", "cuda"),
    ],
)
def test_the_variable_overrides_the_configured_device(configured, variable, used):
    assert train._device(configured, variable) == used  # pylint: disable=protected-access


def test_another_device_is_refused():
    with pytest.raises(UserError, match="MLOPS_DEVICE is 'tpu'. Set it to cpu or gpu"):
        train._device("cpu", "tpu")  # pylint: disable=protected-access


@pytest.mark.parametrize(
    ("requested", "effective", "shown"),
    [
        ("gpu", "cuda:0", "cuda:0"),
        ("cuda", "cuda:0", "cuda:0"),
        ("auto", "cpu", "cpu"),
        ("cpu", "cpu", "cpu"),
        ("gpu", "cpu", "cpu (gpu requested)"),
    ],
)
def test_the_report_shows_both_devices_if_they_differ(requested, effective, shown):
    assert device({"training": {"device": {"wanted": requested, "effective": effective}}}) == shown
