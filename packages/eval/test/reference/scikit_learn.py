"""Writes scikit-learn.json: what scikit-learn finds on small random features.
Run with scikit-learn 1.x and numpy: python3 scikit_learn.py > scikit-learn.json
Features are multiples of 1/64, so float32 and the decimals hold them exactly. Labels have gaps on purpose."""
import json
import numpy as np, sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(7)
classes = np.array([-3, 2, 9])
mixing = rng.normal(size=(6, 6))
centres = rng.normal(size=(3, 6)) * 1.2

def draw(n):
    y = rng.integers(0, 3, n)
    x = (centres[y] + rng.normal(size=(n, 6))) @ mixing + 5
    return np.round(x * 64) / 64, classes[y]

x, y = draw(150)
xt, yt = draw(90)
scaler = StandardScaler().fit(x)
s, st = scaler.transform(x), scaler.transform(xt)
l2 = 1e-2
model = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-12, max_iter=10000).fit(s, y)
logits = s @ model.coef_.T + model.intercept_
column = np.searchsorted(classes, y)
loss = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), column]) + l2 / 2 * (model.coef_**2).sum()
unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)
knn = KNeighborsClassifier(7, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.07)).fit(unit(s), y)
flat = lambda a: [float(v) for v in np.asarray(a).ravel()]
print(json.dumps({
    "made_by": f"scikit_learn.py, scikit-learn {sklearn.__version__}, numpy {np.__version__}",
    "dim": 6, "l2": l2, "k": 7,
    "train": {"features": flat(x), "labels": y.tolist()},
    "test": {"features": flat(xt), "labels": yt.tolist()},
    "linear": {"loss": loss, "accuracy": model.score(st, yt), "trainAccuracy": model.score(s, y),
               "weight": flat(model.coef_.T), "intercept": flat(model.intercept_ - model.intercept_.mean())},
    "knn": {"accuracy": knn.score(unit(st), yt), "predictions": knn.predict(unit(st)).tolist()},
}))
