# The peer of training.go: scikit-learn's MLPRegressor of the same shape on the
# same rows. Prints the seconds of fit alone, without start, import or reading.
import json, sys, time, warnings
import numpy, sklearn, scipy
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_info

path, epochs, precision = sys.argv[1], int(sys.argv[2]), sys.argv[3]
table = numpy.loadtxt(path, dtype=precision)
x, y = table[:, :-1], table[:, -1]
warnings.simplefilter("ignore")  # that it stops before it converges
net = MLPRegressor(hidden_layer_sizes=(64, 64), activation="relu", solver="adam", batch_size=200, learning_rate_init=1e-3,
                   max_iter=epochs, tol=0.0, n_iter_no_change=epochs + 1, alpha=0.0, early_stopping=False, random_state=1)
start = time.perf_counter()
net.fit(x, y)
seconds = time.perf_counter() - start
assert net.n_iter_ == epochs, net.n_iter_
error = float(numpy.sqrt(numpy.mean((net.predict(x) - y) ** 2)))
blas = ", ".join(f"{p['internal_api']} {p['version']}" for p in threadpool_info() if p["user_api"] == "blas")
print(json.dumps({"seconds": seconds, "rmse": error, "versions": f"scikit-learn {sklearn.__version__} (numpy {numpy.__version__}; {blas})"}))
