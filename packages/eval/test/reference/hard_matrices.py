"""Writes hard-matrices.json: what scikit-learn finds in float64 on features that float32 arithmetic gets wrong.
Run with scikit-learn 1.9 and numpy 2: python3 hard_matrices.py > hard-matrices.json
All features are float32 numbers; what is computed from them is float64. Standardisation is numpy's, since StandardScaler
takes columns for constant that are not. No test row has two equally similar train rows of different classes."""
import json
import sys
import warnings
import numpy as np, sklearn
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

warnings.simplefilter("ignore")
rng = np.random.default_rng(11)
L2, K, TEMPERATURE = 1e-3, 3, 0.07

def labels(n, classes=2):
    return np.arange(n) % classes

def noisy(y, dim, spread=0.3):
    """Clusters around corners, one for each class."""
    corners = rng.normal(size=(y.max() + 1, dim))
    return corners[y] + spread * rng.normal(size=(len(y), dim))

cases = {}
def case(name, train, y, test, yt):
    cases[name] = [np.asarray(train, np.float32), y, np.asarray(test, np.float32), yt]

y, yt = labels(40), labels(12)
c, ct = y[:, None], yt[:, None]
case("a column of 1000000 and 1000001", 1e6 + c, y, 1e6 + ct, yt)
case("a column of 16777214 and 16777215", 16777214.0 + c, y, 16777214.0 + ct, yt)
case("one step of float32 apart at 0.1", np.nextafter(np.float32(0.1), np.float32(c)), y, np.nextafter(np.float32(0.1), np.float32(ct)), yt)
case("train at 1e-20, test at 1e20", (2 * c - 1) * 1e-20, y, (2 * ct - 1) * 1e20, yt)
case("train at 1e-20, test at 1e20, beside a plain column", np.c_[(2 * c - 1) * 1e-20, rng.normal(size=40)], y, np.c_[(2 * ct - 1) * 1e20, rng.normal(size=12)], yt)
case("denormal numbers", 1e-42 * (1 + 10 * c + np.arange(40)[:, None] % 5), y, 1e-42 * (1 + 10 * ct + np.arange(12)[:, None] % 3), yt)
case("numbers near the largest", 3e38 * (2 * c - 1) * (1 - 0.01 * np.arange(40)[:, None] % 7), y, 3e38 * (2 * ct - 1) * np.ones((12, 4))[:, :1], yt)
large = np.clip(noisy(np.r_[y, yt], 4) * 1.5e38, -3.4e38, 3.4e38)
case("four columns near the largest", large[:40], y, large[40:], yt)
y3, yt3 = labels(60, 3), labels(24, 3)
points = noisy(np.r_[y3, yt3], 6)
case("columns of scales from 1e-30 to 1e30", points[:60] * 10.0 ** np.array([-30, -18, -6, 6, 18, 30]), y3, points[60:] * 10.0 ** np.array([-30, -18, -6, 6, 18, 30]), yt3)
case("columns far from 0 for their spread", points[:60] * 0.25 + np.array([0, 1e2, 1e4, 1e5, 1e6, -1e6]), y3, points[60:] * 0.25 + np.array([0, 1e2, 1e4, 1e5, 1e6, -1e6]), yt3)
case("constant columns that no sum of tenths hits", np.c_[points[:60], np.full(60, 0.1), np.full(60, -1 / 3)], y3, np.c_[points[60:], np.full(24, 7.0), np.full(24, 0.1)], yt3)
outlier = points.copy()
outlier[:, 0] *= 1e-3
outlier[5, 0] = 1e30
case("one number of 1e30 in a small column", outlier[:60], y3, outlier[60:], yt3)
for digits in (4, 5, 6):
    # All rows along one line through the mean, the classes a little beside it: cosines of +-1 but for the square of that.
    difference = 10.0 ** -digits
    side = rng.normal(size=(2, 16))
    def line(labels):
        along = rng.uniform(1, 2, size=(len(labels), 1)) * rng.choice([-1, 1], size=(len(labels), 1))
        return along * (np.ones(16) + difference * side[labels])
    case(f"collapsed on a line, classes 1e-{digits} beside it", line(y), y, line(yt), yt)
def collapsed(labels, difference):
    direction = np.linspace(1, 2, 8)
    return direction * (1 + difference * (np.outer(2 * labels - 1, np.cos(np.arange(8))) + 0.3 * rng.normal(size=(len(labels), 8))))
case("collapsed on a point, classes 1e-4 beside it", collapsed(y, 1e-4), y, collapsed(yt, 1e-4), yt)
case("collapsed on a point, classes 1e-6 beside it", collapsed(y, 1e-6), y, collapsed(yt, 1e-6), yt)
twice = noisy(labels(20), 3)
case("every row twice", np.r_[twice, twice], np.r_[labels(20), labels(20)], twice[:12] + 0.01, yt)

unit = lambda a: a / np.where((n := np.linalg.norm(a, axis=1, keepdims=True)) > 0, n, 1)
flat = lambda a: [float(v) for v in np.asarray(a).ravel()]
short = lambda a: [float(f"{v:.9g}") for v in np.asarray(a).ravel()]  # enough digits for a float32
out = []
for name, (train, y, test, yt) in cases.items():
    x, xt = train.astype(np.float64), test.astype(np.float64)
    varies = x.min(0) < x.max(0)
    mean, std = x.mean(0), np.where(varies, x.std(0), 1)
    s, st = [np.where(varies, (a - mean) / std, 0) for a in (x, xt)]
    model = LogisticRegression(C=1 / (L2 * len(x)), tol=1e-10, max_iter=100000).fit(s, y)
    logits = model.decision_function(st)
    margins = np.abs(logits) if logits.ndim == 1 else -np.diff(np.sort(logits, 1)[:, -2:], axis=1)
    print(name, "least margin", np.abs(margins).min(), "W", np.abs(model.coef_).max(), file=sys.stderr)
    knn = KNeighborsClassifier(K, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / TEMPERATURE)).fit(unit(s), y)
    row = {"name": name, "dim": train.shape[1],
           "train": {"features": short(train), "labels": y.tolist()}, "test": {"features": short(test), "labels": yt.tolist()},
           "linear": {"trainAccuracy": model.score(s, y), "accuracy": model.score(st, yt)},
           "knn": {"accuracy": knn.score(unit(st), yt), "predictions": knn.predict(unit(st)).tolist()}}
    scale = np.abs(x).max()  # PCA squares: kept within float64 by a power of two
    power = 2.0 ** -np.floor(np.log2(scale))
    pca = PCA(min(2, x.shape[1]), svd_solver="full").fit(x * power)
    row["pca"] = {"explained": flat(pca.explained_variance_ratio_), "spread": flat(pca.transform(x * power).std(0) / power)}
    out.append(row)
print(json.dumps({"made_by": f"hard_matrices.py, scikit-learn {sklearn.__version__}, numpy {np.__version__}",
                  "l2": L2, "k": K, "cases": out}))
