"""Convert the trained model to ONNX and compare scores, size and time with the model in process.

Writes build/export/<model digest>/model.onnx. With `serve.runtime: onnx` in params.yaml `package`
does so too, and the service scores with that file (machinery/docs/onnx.md).
"""

import argparse

from mlops.config.options import Option
from mlops.console import say
from mlops.errors import Refused, UserError, did_you_mean
from mlops.rules import Verdict
from mlops.serving.onnx_file import FILE, ONNX
from mlops.training import calls, onnx_export, record

OPTIONS = (Option("--to", f"the format: {ONNX}", "FORMAT", required=True),)


def run(options: argparse.Namespace) -> None:
    """Export, compare and print; Refused if the scores differ."""
    from mlops.gate.export import EXPORTED, export

    if options.to != ONNX:
        raise UserError(
            f"--to is {options.to!r}; there is {ONNX} only.{did_you_mean(options.to, [ONNX])} "
            f"Other formats are made from that file: {onnx_export.PAGE}."
        )
    training = record.read_record()
    exported = export(training)
    finding = exported.finding
    if finding.verdict is not Verdict.PASS:
        raise Refused(f"{finding.rule} {EXPORTED.sentence}\n  {finding.message}")
    say("export", str(exported.folder / FILE))
    say("", finding.message)
    size = sum(path.stat().st_size for path in exported.folder.rglob("*") if path.is_file())
    say("", f"size: {size / 1e3:,.0f} kB, in process {training['model']['bytes'] / 1e3:,.0f} kB")
    times = _times(exported.exported, exported.features)
    in_process = _times(calls.served(exported.trained, exported.features), exported.features)
    say("", f"one row: {times}, in process {in_process}")


def _times(predict, features) -> str:
    """Return the median and the 99th percentile of the time to score a row, as text."""
    from mlops.statistics.latency import latency

    times = latency(predict, features)
    return f"{times['predict_p50_ms']:.3f} ms (p99 {times['predict_p99_ms']:.3f})"
