"""The usual way to serve such a model: a scikit-learn pipeline asked with a DataFrame of one row, behind FastAPI."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import uvicorn
from fastapi import FastAPI
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder


def create_rival(table: Path) -> FastAPI:
    """Fit on the table and serve ``POST /predict`` for a row of it."""
    rows = pd.read_csv(table)
    label, features = rows["Churn"], rows.drop(columns=["CustomerID", "Churn"])
    words = [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    encoder = ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words)], remainder="passthrough"
    )
    pipeline = Pipeline([("encode", encoder), ("trees", HistGradientBoostingClassifier(random_state=1))])
    pipeline.fit(features, label)
    app = FastAPI()

    @app.post("/predict")
    def predict(row: dict[str, Any]) -> dict[str, float]:
        return {"probability": float(pipeline.predict_proba(pd.DataFrame([row]))[0, 1])}

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_rival(Path(os.environ["TABLE"])),
        host="127.0.0.1",
        port=int(os.environ["API_PORT"]),
        access_log=False,
        log_level="warning",
    )
