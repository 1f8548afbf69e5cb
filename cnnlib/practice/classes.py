"""Classes of many styles, and programs that take one example at a time: how they are called."""

import inspect

import numpy as np

FORWARD = (
    "forward forward_pass forward_propagate forward_propagation forward_prop feed_forward feedforward fprop "
)
FORWARD += "propagate __call__"
BACKWARD = (
    "backward backward_pass backward_propagate backward_prop back_propagate back_propagation back_prop "
)
BACKWARD += "backpropagate backpropagation backprop backwards bprop"
RATES = "lr learning_rate eta alpha step step_size learn_rate rate"
SIZES = {
    "in": "in_channels in_features n_in input_dim in_dim input_size in_size c_in fan_in n_inputs nin input_channels "
    "input_len input_depth in_d channels inchans in_chans in_ch",
    "out": "out_channels out_features n_out output_dim out_dim output_size out_size c_out num_filters n_filters "
    "filters units n_outputs nout n_kernels num_kernels output_channels nodes neurons n_neurons num_neurons output_len "
    "number_of_filters depth out_d outchans out_chans out_ch n_out_channels",
    "kernel": "kernel_size kernel k f filter_size size ksize pool_size kernel_shape filter_shape filter_dim "
    "filter_dimension filter_width kernel_dim window window_size pool kernel_width pooling_size",
    "stride": "stride strides s",
    "padding": "padding pad p pads",
    "shape": "input_shape in_shape image_shape",
    "W": "w weight weights",
    "b": "b bias biases",
}
NAMES = {
    "W": "W w weight weights kernel kernels filters filters_weights _weights weights_ filter",
    "b": "b B bias biases _bias bias_",
    "dW": "dW dw grad_W grad_w W_grad w_grad dweight dweights grad_weight grad_weights weights_grad weight_grad "
    "d_weights dfilters dkernels gradW d_W gradient_weights gradient_w weight_gradient weights_gradient grad_kernel "
    "grad_filters filters_grad w_gradient _dW",
    "db": "db dB grad_b b_grad dbias dbiases grad_bias bias_grad biases_grad gradB d_bias d_biases d_b gradient_bias "
    "gradient_b bias_gradient grad_biases b_gradient _db",
}


def method(subject, names):
    """The name of the first of these methods that a class has; None."""
    own = getattr(
        subject, "__dict__", {}
    )  # every class can be called, so __call__ counts where it is written
    found = (n for n in names.split() if callable(getattr(subject, n, None)))
    return next((n for n in found if n != "__call__" or n in own), None)


class LayerClass:
    """A class with forward and backward: made for each input, given W and b, run forward and backward.

    Where backward takes a learning rate and changes W and b itself, it gets the rate 1, and the gradients are what
    W and b lose.
    """

    def __init__(self):
        self.made, self.case = {}, None

    def __call__(self, subject, of, given):
        forward, backward = method(subject, FORWARD), method(subject, BACKWARD)
        if of in ("softmax_cross_entropy", "squared_error"):
            loss = subject()
            getattr(loss, forward)(*given.values())
            return getattr(loss, backward)()
        key = tuple(np.asarray(v).tobytes() if isinstance(v, np.ndarray) else v for v in given.values())
        if key not in self.made:  # the same object again for the same input: what accumulates must show
            self.made[key] = self.make(subject, of, given)
        layer = self.made[key]
        rate = self.rate(getattr(layer, backward), subject)
        if rate:
            for name in self.learnt(layer, given):
                self.set(layer, name, given[name].copy())
        getattr(layer, forward)(given["x"])
        dx = getattr(layer, backward)(given["delta"], **rate)
        if "W" not in given or isinstance(dx, tuple | dict):
            return dx
        learnt = self.learnt(layer, given)
        if rate:
            lost = {name: self.lost(layer, name, given[name]) for name in learnt}
            return dx, lost["W"], lost.get("b")
        return dx, self.get(layer, "dW", "W"), self.get(layer, "db", "b") if "b" in learnt else None

    def learnt(self, layer, given):
        """Which of W and b the layer has; some have no b."""
        found = set(given) & {"W", "b"}
        return found - {"b"} if found and not self.held(layer, "b", wanted=False) else found

    @staticmethod
    def rate(backward, subject):
        """{"learning_rate": 1.0}, as the method calls it; {} where it takes none."""
        rates, needed = {}, []
        for parameter in list(inspect.signature(backward).parameters.values())[1:]:
            if parameter.name.lower() in RATES.split():
                rates[parameter.name] = 1.0
            elif parameter.default is parameter.empty and parameter.kind not in (2, 4):
                needed.append(parameter.name)
        if needed:
            raise ValueError(
                f"{subject.__name__}.{backward.__name__} wants {needed[0]!r}, which diagnose does not know: say with "
                "call=lambda cls, x, W, b, delta, stride, padding: ... how it is used"
            )
        return rates

    def make(self, subject, of, given):
        """A layer of the sizes of the case."""
        sizes = {name: given.get(name) for name in ("stride", "padding", "kernel", "W", "b")}
        axes = self.case.axes["x"]
        shape = tuple(n for n, letter in zip(self.case.user("x").shape, axes) if letter != "N")
        sizes["shape"] = shape
        if "W" in given:
            KH, KW = self.case.kernel
            kernel = KW if of == "conv1d" or KH == KW else (KH, KW)
            sizes |= {"in": self.case.W.shape[1], "out": self.case.W.shape[0], "kernel": kernel}
        kinds = {name: kind for kind, names in SIZES.items() for name in names.split()}
        chosen = {}
        for parameter in inspect.signature(subject).parameters.values():
            kind = kinds.get(parameter.name.lower())
            kind = (
                "shape"
                if kind == "in" and parameter.name.lower() == "input_size" and len(shape) > 1
                else kind
            )
            needed = parameter.default is parameter.empty and parameter.kind not in (2, 4)
            if kind == "b" and not isinstance(parameter.default, bool) or kind not in (None, "b"):
                chosen[parameter.name] = sizes[kind]
            elif needed:
                raise ValueError(
                    f"{subject.__name__} wants {parameter.name!r}, which diagnose does not know: say with "
                    "call=lambda cls, x, W, b, delta, stride, padding: ... how it is used"
                )
        layer = subject(**chosen)
        for name in self.learnt(layer, given):
            if not any(kinds.get(key.lower()) == name for key in chosen):
                self.set(layer, name, given[name])
        return layer

    @staticmethod
    def held(layer, name, wanted=True):
        """(the object or dict, the key) under which a layer holds W, b or their gradients; None where it may have none."""
        for group in ("params", "grads", "parameters", "gradients"):
            inside = getattr(layer, group, None)
            for key in NAMES[name].split():
                if isinstance(inside, dict) and key in inside:
                    return inside, key
        for key in NAMES[name].split():
            if hasattr(layer, key):
                return layer, key
        if not wanted:
            return None
        raise ValueError(
            f"{type(layer).__name__} has no {name} under a usual name ({NAMES[name]}): say with call= how it is used"
        )

    def read(self, layer, name):
        """What a layer holds under a usual name."""
        inside, key = self.held(layer, name)
        return inside[key] if isinstance(inside, dict) else getattr(inside, key)

    def set(self, layer, name, value):
        """Puts W or b where the layer holds it."""
        inside, key = self.held(layer, name)
        if isinstance(inside, dict):
            inside[key] = value
        else:
            old = getattr(inside, key)
            shape = old.shape if isinstance(old, np.ndarray) and old.size == value.size else value.shape
            setattr(inside, key, value.reshape(shape))

    def lost(self, layer, name, before):
        """What W or b has lost in a step of rate 1."""
        after = np.asarray(self.read(layer, name))
        return before.reshape(after.shape) - after if after.size == before.size else before - after

    def get(self, layer, name, parameter):
        """The gradient that the layer holds."""
        grads = getattr(layer, "grads", getattr(layer, "gradients", None))
        if isinstance(grads, dict) and parameter in grads:
            return grads[parameter]
        return self.read(layer, name)


class Optimiser:
    """A class that makes the steps: made once for a walk, with the rate, the momentum and the decay of the case."""

    STEP = "update step apply update_params"
    KINDS = {
        "lr": RATES,
        "momentum": "momentum mu beta gamma",
        "weight_decay": "weight_decay decay l2 lam reg",
    }

    def __init__(self, subject):
        self.kinds = {name: kind for kind, names in self.KINDS.items() for name in names.split()}
        named = {self.kinds.get(name.lower()) for name in inspect.signature(subject).parameters}
        self.fixed = {"sgd": {name: 0 for name in ("momentum", "weight_decay") if name not in named}}

    def __call__(self, subject, of, given):
        state, params = given["state"], {"W": given["W"], "b": given["b"]}
        if "optimiser" not in state:
            names = inspect.signature(subject).parameters
            known = {n: given[self.kinds[n.lower()]] for n in names if n.lower() in self.kinds}
            state["optimiser"] = subject(**known)
        optimiser = state["optimiser"]
        for name in RATES.split():
            if hasattr(optimiser, name) and not callable(getattr(optimiser, name)):
                setattr(optimiser, name, given["lr"])
        found = getattr(optimiser, method(subject, self.STEP))(params, {"W": given["dW"], "b": given["db"]})
        params = found if isinstance(found, dict) else params
        return params["W"], params["b"]


def completed(of, axes):
    """(axes with all letters, the letters that were missing): N where a program takes one example at a time."""
    whole = dict(axes or {})
    x = whole.get("x", "N")
    missing = "" if not isinstance(x, str) or "N" in x else "N"
    return whole | ({"x": "N" + x} if missing else {}), missing


class OneByOne:
    """A program that takes one example at a time: dx of each, the other gradients summed."""

    def __init__(self, called, axes, missing):
        self.called, self.at = called, axes["x"].index("N")
        self.fixed, self.axes = getattr(called, "fixed", {}), getattr(called, "axes", {})

    @property
    def case(self):
        """The case, for what wants to know it."""
        return getattr(self.called, "case", None)

    @case.setter
    def case(self, case):
        if hasattr(self.called, "case"):
            self.called.case = case

    def __call__(self, subject, of, given):
        alone, found = [name for name in ("x", "outputs", "scores", "delta", "targets") if name in given], []
        for n in range(given[alone[0]].shape[self.at]):
            one = {k: np.take(v, n, self.at) if k in alone else v for k, v in given.items()}
            one |= {"labels": given["labels"][n]} if "labels" in given else {}
            result = self.called(subject, of, one)
            found.append(list(result) if isinstance(result, tuple | list) else [result])
        shape = np.shape(one[alone[0]])
        first = next((i for i, value in enumerate(found[0]) if np.shape(value) == shape), 0)
        alike = len(found) if "delta" not in given else 1  # a loss is the mean over the examples
        return tuple(
            np.stack(parts, self.at) / alike if i == first else None if parts[0] is None else sum(parts)
            for i, parts in enumerate(zip(*found))
        )
