"""The model: trained twice it is the same, and it reads frames and lists alike."""

import os

import numpy as np
import onnxruntime
import pytest

import data
import model
from model.train import gpu_present

FEATURES = [name for name in data.SCHEMA.columns if name not in (data.TARGET, data.TIME)]


@pytest.fixture(scope="module")
def rows():
    """Some January flights: features and label."""
    frame = data.load("2013-01")[0].sample(4000, random_state=0, ignore_index=True)
    return frame[FEATURES], frame[data.TARGET].to_numpy()


def fit(rows, threads=1, seed=0, device="cpu", **params):
    """Train on the rows."""
    params = model.Params(**({"n_estimators": 20} | params))
    return model.train(*rows, params, device=device, threads=threads, seed=seed)


@pytest.fixture(scope="module")
def trained(rows):
    """A small model of January."""
    return fit(rows)


def saved(trained, folder):
    """The bytes of every file a model is saved as."""
    folder.mkdir()
    model.save(trained, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("threads", [1, 2])
def test_training_again_gives_the_same_bytes(rows, trained, tmp_path, threads):
    """Neither the run nor the number of threads leaves a trace in the model."""
    again = saved(fit(rows, threads=threads), tmp_path / "again")
    assert again == saved(trained, tmp_path / "first")
    assert set(again) == {"model.ubj", "categories.json"}


def test_another_seed_gives_another_model(rows, trained, tmp_path):
    """The comparison above would see a difference if there were one."""
    assert saved(fit(rows, seed=1), tmp_path / "b") != saved(trained, tmp_path / "a")


def test_saving_and_loading_changes_no_score(rows, trained, tmp_path):
    """What is served is what was judged."""
    model.save(trained, tmp_path)
    scores = model.predict(model.load(tmp_path), rows[0])
    np.testing.assert_array_equal(scores, model.predict(trained, rows[0]))


def test_lists_and_frames_give_the_same_scores(rows, trained):
    """The service's path, lists with None, is the path that was evaluated."""
    frame = rows[0].head(500)
    plain = frame.astype(object).where(frame.notna(), None)
    columns = {name: plain[name].tolist() for name in plain}
    np.testing.assert_array_equal(model.predict(trained, columns), model.predict(trained, frame))


def test_scores_are_probabilities(rows, trained):
    """One a row, between 0 and 1, and not all the same."""
    scores = model.predict(trained, rows[0])
    assert scores.shape == (4000,)
    assert 0 < scores.min() < scores.max() < 1


def test_the_order_of_columns_does_not_matter(rows, trained):
    """Columns are found by name."""
    turned = rows[0][rows[0].columns[::-1]]
    np.testing.assert_array_equal(model.predict(trained, turned), model.predict(trained, rows[0]))


def test_an_unseen_category_counts_as_missing(rows, trained):
    """A new destination is answered, as one that is not known."""
    one = rows[0].head(1)
    unseen = model.predict(trained, one.assign(dest="ZZZ"))
    assert unseen == model.predict(trained, one.assign(dest=None))


def test_labels_of_one_class_are_refused(rows):
    """Nothing can be learnt from them."""
    with pytest.raises(ValueError, match=r"needs the labels 0 and 1, found \[0\]"):
        fit((rows[0], np.zeros(4000, int)))


@pytest.mark.filterwarnings("ignore:.*Device is changed from GPU")
@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_an_error(rows):
    """XGBoost would only warn and train on the CPU."""
    with pytest.raises(ValueError, match="device is cuda, but XGBoost found no GPU"):
        fit(rows, device="cuda")


def test_auto_says_what_it_trained_on(rows):
    """The record keeps the effective device."""
    expected = "cuda" if gpu_present() else "cpu"
    assert model.trained_on(fit(rows, device="auto")).startswith(expected)


@pytest.mark.parametrize("wrong", [{"max_depth": 0}, {"subsample": 2.0}, {"n_trees": 3}])
def test_params_are_strict(wrong):
    """Out of range or unknown is refused."""
    with pytest.raises(ValueError, match="validation error"):
        model.Params(**wrong)


def test_the_exported_model_scores_alike(rows, trained, tmp_path):
    """Numbers that are missing too, and airports that training has not seen or that are missing."""
    flights = rows[0].head(200).copy()
    flights.loc[flights.index[:20], "dest"] = "QQQ"
    flights.loc[flights.index[20:40], ["dest", "wind_gust", "seats"]] = None
    model.to_onnx(trained, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    columns = {
        name: (
            flights[[name]].to_numpy(np.float32)
            if kind != "tensor(string)"
            else flights[[name]].astype(object).fillna("nan").to_numpy()
        )
        for name, kind in ((one.name, one.type) for one in session.get_inputs())
    }
    (scores,) = session.run(["scores"], columns)
    np.testing.assert_allclose(scores, model.predict(trained, flights), rtol=0, atol=1e-6)
    assert np.ptp(scores) > 0.1
