"""The command from a file to a model: what it writes, and the sentence it ends with where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from demo.labelled import make_labelled
from scoring.table.__main__ import main
from scoring.table.model import TableModel


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def test_a_table_becomes_a_model_and_a_card(models: Path, tmp_path: Path) -> None:
    made = make_labelled(330)
    columns = dict(made.columns)
    columns["Status"] = np.where(columns["Churn"] == 1, "gone", "here").astype(object)
    columns["Same"] = np.full(660, 7.0)
    columns["Sparse"] = np.where(np.arange(660) % 5 < 3, np.nan, columns["Tenure"])
    file = type(made)(columns, made.probability, made.family).write(tmp_path / "My Shop.csv")
    features = "Tenure,Complain,MaritalStatus,Status,Sparse,CashbackAmount"
    assert main([str(file), "--label", "Churn", "--features", features]) == 0
    model = TableModel.from_json((models / "my-shop" / "model.json").read_text())
    card = (models / "my-shop" / "card.md").read_text()
    assert "Phone: Mobile Phone" in (models / "my-shop" / "spellings.yml").read_text()
    assert set(model.features) == {"Tenure", "Complain", "MaritalStatus", "Sparse", "CashbackAmount"}
    assert "660 of 660 rows are another row with constants added" in card
    assert "Status alone tells Churn" in card
    assert model.facts["metrics_leaking"]["roc_auc"]["value"] > model.facts["metrics"]["roc_auc"]["value"]
    assert model.facts["metrics"]["roc_auc"]["low"] < model.facts["metrics"]["roc_auc"]["value"]
    sparse = next(coding for coding in model.codings if coding.feature == "Sparse")
    assert sparse.missing_share > 0.6
    assert 0 <= model.answer({"Tenure": 1.0, "Complain": 1.0}).probability <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["small.csv", "--label", "Churn"], "at least 25 of each are needed"),
        (["absent.csv", "--label", "Churn"], "There is no file"),
        (["small.csv", "--label", ""], "make model TABLE="),
        (["small.csv", "--label", "Churn", "--precision", "2"], "between 0 and 1"),
        (["small.csv", "--label", "Churn", "--name", "churn"], "cannot be called churn"),
    ],
)
def test_where_there_is_no_model_there_is_a_sentence(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    make_labelled(30, has_shifted_copies=False).write(tmp_path / "small.csv")
    assert main([str(tmp_path / arguments[0]), *arguments[1:]]) != 0
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told
    assert not models.exists()
