"""The packed model, served for real, answers as the model does in process."""

import pytest

from mlops import git
from mlops.gate import export, parity
from mlops.releases import bundle
from mlops.rules import Verdict
from mlops.statistics.drift import references
from mlops.training import calls, contract, onnx_export, partitions, record


def test_the_service_answers_as_the_model(sample, trained, save, tmp_path):
    """A bundle of HEAD's code is packed, served on a free port, and asked with real rows."""
    changed = git.changed("model", "data")
    if changed:
        pytest.skip(f"{changed[0]} is not committed, and a bundle holds the code of a commit")
    folder, description = save(trained, "model")
    training, tolerance = _record(sample, description), parity.TOLERANCE
    if record.serves_onnx(training):
        folder, tolerance = tmp_path / "exported", export.TOLERANCE
        onnx_export.export(trained, sample.features, folder)
    packed = bundle.pack(training, folder)
    source = bundle.unpack(packed.path, packed.digest, bundle.folder_of(packed.digest)) / "src"
    nullable = contract.nullable(sample.columns.features)
    rows = parity.sample(sample.features, sample.params.serve.max_rows, nullable)
    expected = calls.predict(trained, rows)
    finding = parity.compare(source, rows, expected, sample.params.serve.ready_seconds, tolerance)
    assert finding.verdict is Verdict.PASS, finding.message


def _record(sample, description: dict) -> record.Record:
    """Return the parts of a record that a bundle is made from."""
    params = sample.params
    held_out = partitions.split(params).holdout
    described = {"partitions": list(held_out), "fingerprint": "not trained on"}
    columns = [*sample.columns.features, *sample.columns.targets]
    reference = references(
        sample.frame[columns], len(sample.frame), params.privacy.min_rows, sample.columns.text
    )
    return {
        "format": record.FORMAT,
        "name": params.name,
        "source": record.source(),
        "data": {"train": described, "holdout": described, "reference": reference},
        "params": {"fingerprint": params.fingerprint, "values": params.model_dump()},
        "environment": record.environment(),
        "model": description,
        **contract.answer().recorded(),
    }
