"""The team's model is made the same way twice, and scores a row alike however it arrives."""

import numpy as np
import pytest

from mlops.config.params import Params
from mlops.serving.schema import request_type
from mlops.statistics.latency import as_records, as_sent
from mlops.training import calls, contract
from mlops.training.row_schema import row_schema

ROWS = 50
TOLERANCE = 1e-6


def lists(rows):
    """Return rows as columns of lists, missing values None, which the service passes on."""
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.fixture(scope="module")
def few(sample):
    """Some rows of features."""
    return sample.features[:ROWS]


@pytest.fixture(scope="module")
def scores(trained, few):
    """A function that scores columns as the service does."""
    score = calls.served(trained, few)
    return lambda columns: np.asarray(score(columns), dtype=float)


def test_training_twice_gives_the_same_bytes(sample, trained, save):
    """M112 asks for it of every candidate; here it is seen before a long training."""
    first, second = save(trained, "first")[1], save(sample.train(), "second")[1]
    assert first["files"] == second["files"]


def test_what_is_loaded_scores_as_what_was_saved(trained, few, save):
    """The service loads a file; the gate judged the model in memory."""
    folder, _ = save(trained, "model")
    np.testing.assert_allclose(
        calls.predict(contract.team_model().load(folder), few),
        calls.predict(trained, few),
        rtol=TOLERANCE,
    )


def test_lists_score_as_a_frame(trained, few, scores):
    """Training sees a DataFrame, the service a dict of lists."""
    expected = calls.predict(trained, few)
    np.testing.assert_allclose(scores(lists(as_records(few))), expected, rtol=TOLERANCE)


def test_a_row_scores_the_same_in_any_company(trained, few, scores):
    """Requests that arrive together are scored together."""
    alone = [scores(lists([row]))[0] for row in as_records(few)]
    np.testing.assert_allclose(alone, calls.predict(trained, few), rtol=TOLERANCE)


def test_none_scores_as_a_missing_value_does(trained, few, scores):
    """A client sends null where training saw NaN or None, together with other rows or alone.

    Alone is another case: pandas makes a column of objects of a None that nothing stands beside.
    """
    for name in contract.nullable(few.columns):
        without = few.copy()
        without.loc[without.index[0], name] = None
        sent = as_records(without)
        assert sent[0][name] is None
        expected = calls.predict(trained, without)[0]
        for rows in (sent, sent[:1]):
            np.testing.assert_allclose(
                scores(lists(rows))[0],
                expected,
                rtol=TOLERANCE,
                err_msg=f"{name} is None, in {len(rows)} row(s)",
            )


@pytest.fixture(scope="module")
def schema(sample, params: Params):
    """The JSON Schema of a request's row."""
    return row_schema(sample.columns.features, sample.frame, params.privacy.min_rows)


def test_the_service_takes_the_rows_of_the_data(schema, few, params: Params):
    """A row that training saw is never refused, and the schema's example is a row too."""
    request = request_type(schema, params.serve.max_rows)
    rows = as_sent(few)[: params.serve.max_rows]
    request.validate_python({"rows": rows})
    request.validate_python({"rows": schema["examples"][:1]})


def test_the_service_refuses_a_field_that_the_data_lack(schema, few, params: Params):
    """A misspelt field is an error, not a missing value."""
    request = request_type(schema, params.serve.max_rows)
    with pytest.raises(ValueError, match="extra_forbidden|not permitted"):
        request.validate_python({"rows": [{**as_sent(few)[0], "no such field": 1}]})
