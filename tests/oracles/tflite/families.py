"""Generators of random small graphs, a function per family of operators."""

import numpy as np

from graph_writer import Graph, Model, Quant, options

ACTIVATIONS = [0, 0, 0, 1, 2, 3]  # none, relu, relu_n1_to_1, relu6


class Case:
    """Random choices of one graph."""

    def __init__(self, seed):
        self.n = np.random.RandomState(seed)
        self.g = Graph()

    def pick(self, *values):
        return values[self.n.randint(len(values))]

    def size(self, low, high):
        return int(self.n.randint(low, high + 1))

    def chance(self, p):
        return self.n.rand() < p

    def shape(self, rank=None, low=1, high=5):
        rank = self.size(1, 4) if rank is None else rank
        return [self.size(low, high) for _ in range(rank)]

    def array(self, dtype, shape, low=-3.0, high=3.0):
        if dtype in ("float32", "float16"):
            return self.n.uniform(low, high, shape).astype(dtype)
        if dtype == "bool":
            return self.n.rand(*shape) < 0.5
        if dtype in ("int8", "uint8", "int16"):
            info = np.iinfo(dtype)
            return self.n.randint(info.min, info.max + 1, shape).astype(dtype)
        return self.n.randint(int(low * 4), int(high * 4) + 1, shape).astype(dtype)

    def quant(self, dtype, span=None):
        """Steps that spread `span` of real numbers over the type."""
        span = span or self.n.uniform(2, 8)
        if dtype == "int16":
            return Quant(span / 65535)
        if dtype not in ("int8", "uint8"):
            return None
        low = np.iinfo(dtype).min
        return Quant(span / 255, low + self.size(60, 190))

    def kind(self, *more):
        """A type, quantised ones most often."""
        return self.pick("float32", "float32", "int8", "int8", "uint8", *more)

    def x(self, dtype, shape, quant=None, **kw):
        return self.g.input(self.array(dtype, shape, **kw), quant)

    def y(self, dtype, quant=None):
        return self.g.tensor(dtype, (), quant=quant)

    def ints(self, values):
        return self.g.const(np.asarray(values, np.int32))


# ---- convolutions

def conv_weights(c, dtype, shape, axis):
    if dtype == "float32":
        return c.g.const(c.array("float32", shape, -1, 1)), None
    if dtype == "uint8":
        q = Quant(c.n.uniform(0.002, 0.02), c.size(100, 150))
        return c.g.const(c.array("uint8", shape), quant=q), q
    count = shape[axis] if c.chance(0.6) else 1
    q = Quant(c.n.uniform(0.002, 0.02, count), 0, axis)
    data = np.maximum(c.array("int8", shape), -127)
    return c.g.const(data, quant=q), q


def bias(c, dtype, count, xq, wq):
    if dtype == "float32":
        return c.g.const(c.array("float32", [count]))
    scale = xq.scale[0] * wq.scale
    kind = "int64" if dtype == "int16" else "int32"
    return c.g.const((c.n.uniform(-2, 2, count) / scale).astype(kind), quant=Quant(scale, 0, 0))


def conv_quant(c, dtype, terms):
    return c.quant(dtype, span=c.n.uniform(1, 3) * np.sqrt(terms))


def conv_2d(c):
    dtype = c.kind("int16")
    xs = [c.size(1, 2), c.size(3, 9), c.size(3, 9), c.size(1, 6)]
    k = [c.size(1, 3), c.size(1, 3)]
    out = c.size(1, 6)
    xq = c.quant(dtype)
    x = c.x(dtype, xs, xq)
    w, wq = conv_weights(c, dtype, [out, *k, xs[3]], 0)
    b = bias(c, dtype, out, xq, wq)
    y = c.y(dtype, conv_quant(c, dtype, k[0] * k[1] * xs[3]))
    dilated = c.chance(0.25)
    o = options("Conv2D", padding=c.size(0, 1), strideW=1 if dilated else c.size(1, 3),
                strideH=1 if dilated else c.size(1, 3), dilationWFactor=2 if dilated else 1,
                dilationHFactor=2 if dilated else 1, fusedActivationFunction=c.pick(*ACTIVATIONS))
    if dilated and o.padding == 1 and min(xs[1:3]) < 5:
        o.padding = 0
    return c.g.finish(c.g.op("CONV_2D", [x, w, b], [y], o, version=3))


def depthwise(c):
    dtype = c.kind("int16")
    xs = [c.size(1, 2), c.size(3, 9), c.size(3, 9), c.size(1, 5)]
    k = [c.size(1, 3), c.size(1, 3)]
    mult = c.pick(1, 1, 2, 3)
    xq = c.quant(dtype)
    x = c.x(dtype, xs, xq)
    w, wq = conv_weights(c, dtype, [1, *k, xs[3] * mult], 3)
    b = bias(c, dtype, xs[3] * mult, xq, wq)
    y = c.y(dtype, conv_quant(c, dtype, k[0] * k[1]))
    s = c.size(1, 3)
    o = options("DepthwiseConv2D", padding=c.size(0, 1), strideW=s, strideH=s, depthMultiplier=mult,
                dilationWFactor=1, dilationHFactor=1, fusedActivationFunction=c.pick(*ACTIVATIONS))
    return c.g.finish(c.g.op("DEPTHWISE_CONV_2D", [x, w, b], [y], o, version=3))


def transpose_conv(c):
    dtype = c.kind()
    xs = [1, c.size(2, 5), c.size(2, 5), c.size(1, 4)]
    k, s = [c.size(1, 4), c.size(1, 4)], [c.size(1, 3), c.size(1, 3)]
    out = c.size(1, 4)
    pad = c.size(0, 1)
    to = [xs[1 + i] * s[i] if pad == 0 else (xs[1 + i] - 1) * s[i] + k[i] for i in (0, 1)]
    xq = c.quant(dtype)
    x = c.x(dtype, xs, xq)
    w, wq = conv_weights(c, dtype, [out, *k, xs[3]], 0)
    b = bias(c, dtype, out, xq, wq)
    y = c.y(dtype, conv_quant(c, dtype, k[0] * k[1] * xs[3]))
    o = options("TransposeConv", padding=pad, strideW=s[1], strideH=s[0])
    ins = [c.ints([1, *to, out]), w, x] + ([b] if c.chance(0.7) else [])
    return c.g.finish(c.g.op("TRANSPOSE_CONV", ins, [y], o, version=3))


def conv_3d(c):
    xs = [1, c.size(3, 5), c.size(3, 5), c.size(3, 5), c.size(1, 3)]
    k = [c.size(1, 3) for _ in range(3)]
    x = c.x("float32", xs)
    w = c.g.const(c.array("float32", [*k, xs[4], c.size(1, 3)], -1, 1))
    b = c.g.const(c.array("float32", [c.g.graph.tensors[w].shape[4]]))
    o = options("Conv3D", padding=c.size(0, 1), strideD=c.size(1, 2), strideW=c.size(1, 2),
                strideH=c.size(1, 2), dilationDFactor=1, dilationWFactor=1, dilationHFactor=1,
                fusedActivationFunction=c.pick(*ACTIVATIONS))
    return c.g.finish(c.g.op("CONV_3D", [x, w, b], [c.y("float32")], o))


def hybrid(c):
    """Float activations, integer weights."""
    if c.chance(0.5):
        xs = [c.size(1, 3), c.size(2, 8)]
        out = c.size(1, 5)
        x = c.x("float32", xs)
        q = Quant(c.n.uniform(0.002, 0.02))
        w = c.g.const(np.maximum(c.array("int8", [out, xs[1]]), -127), quant=q)
        b = c.g.const(c.array("float32", [out]))
        return c.g.finish(c.g.op("FULLY_CONNECTED", [x, w, b], [c.y("float32")],
                                 options("FullyConnected"), version=3))
    xs = [c.size(1, 2), c.size(3, 6), c.size(3, 6), c.size(1, 4)]
    x = c.x("float32", xs)
    if c.chance(0.3):
        q = Quant(c.n.uniform(0.002, 0.02, xs[3]), 0, 3)
        w = c.g.const(np.maximum(c.array("int8", [1, 3, 3, xs[3]]), -127), quant=q)
        b = c.g.const(c.array("float32", [xs[3]]))
        o = options("DepthwiseConv2D", padding=0, strideW=1, strideH=1, depthMultiplier=1,
                    dilationWFactor=1, dilationHFactor=1)
        return c.g.finish(c.g.op("DEPTHWISE_CONV_2D", [x, w, b], [c.y("float32")], o, version=6))
    out = c.size(1, 4)
    q = Quant(c.n.uniform(0.002, 0.02, out), 0, 0) if c.chance(0.7) else Quant(0.01)
    w = c.g.const(np.maximum(c.array("int8", [out, 3, 3, xs[3]]), -127), quant=q)
    b = c.g.const(c.array("float32", [out]))
    o = options("Conv2D", padding=0, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1)
    return c.g.finish(c.g.op("CONV_2D", [x, w, b], [c.y("float32")], o, version=3))


def pool(c):
    kind = c.pick("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
    dtype = "float32" if kind == "L2_POOL_2D" else c.kind("int16")
    xs = [c.size(1, 2), c.size(3, 8), c.size(3, 8), c.size(1, 4)]
    q = c.quant(dtype)
    x = c.x(dtype, xs, q)
    o = options("Pool2D", padding=c.size(0, 1), strideW=c.size(1, 3), strideH=c.size(1, 3),
                filterWidth=c.size(1, 3), filterHeight=c.size(1, 3),
                fusedActivationFunction=c.pick(*ACTIVATIONS))
    return c.g.finish(c.g.op(kind, [x], [c.y(dtype, q)], o, version=3))


def fully_connected(c):
    dtype = c.kind("int16")
    keep = c.chance(0.4)
    xs = c.shape(c.size(2, 3) if keep else c.size(1, 4), 1, 5)
    width = xs[-1] if keep or c.chance(0.5) else int(np.prod(xs[1:]) if len(xs) > 1 else xs[0])
    out = c.size(1, 6)
    xq = c.quant(dtype)
    x = c.x(dtype, xs, xq)
    w, wq = conv_weights(c, "int8" if dtype == "int16" else dtype, [out, width], 0)
    b = bias(c, dtype, out, xq, wq)
    y = c.y(dtype, conv_quant(c, dtype, width))
    o = options("FullyConnected", keepNumDims=keep, fusedActivationFunction=c.pick(*ACTIVATIONS))
    b = -1 if c.chance(0.2) else b
    return c.g.finish(c.g.op("FULLY_CONNECTED", [x, w, b], [y], o, version=5))


def batch_matmul(c):
    dtype = c.pick("float32", "float32", "int8")
    n, k, m = c.size(1, 4), c.size(1, 5), c.size(1, 4)
    batch = c.shape(c.size(0, 2), 1, 3)
    ax, ay = bool(c.size(0, 1)), bool(c.size(0, 1))
    xs = batch + ([k, n] if ax else [n, k])
    ys = (batch if c.chance(0.7) else []) + ([m, k] if ay else [k, m])
    if len(xs) < 2 or len(ys) < 2:
        xs, ys = [n, k], [k, m]
        ax = ay = False
    xq, yq = c.quant(dtype), c.quant(dtype)
    if dtype == "int8":
        yq = Quant(yq.scale, 0)
    x, y = c.x(dtype, xs, xq), c.x(dtype, ys, yq)
    o = options("BatchMatMul", adjX=ax, adjY=ay)
    return c.g.finish(c.g.op("BATCH_MATMUL", [x, y], [c.y(dtype, conv_quant(c, dtype, 3 * k))], o,
                             version=2))


# ---- element by element

def two_shapes(c):
    a = c.shape(c.size(1, 4), 1, 4)
    if c.chance(0.5):
        return a, a
    b = [d if c.chance(0.6) else 1 for d in a]
    b = b[c.size(0, len(b) - 1):]
    return (a, b) if c.chance(0.5) else (b, a)


def binary(c):
    kind = c.pick("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW",
                  "FLOOR_DIV", "FLOOR_MOD", "ADD", "MUL")
    fused = kind in ("ADD", "SUB", "MUL", "DIV")
    dtypes = {"ADD": ("float32", "int8", "uint8", "int16", "int32", "int64"),
              "SUB": ("float32", "int8", "uint8", "int16", "int32", "int64"),
              "MUL": ("float32", "int8", "uint8", "int16", "int32", "int64"),
              "DIV": ("float32", "int32"), "POW": ("float32", "int32"),
              "FLOOR_DIV": ("float32", "int32"), "FLOOR_MOD": ("float32", "int32", "int64"),
              "SQUARED_DIFFERENCE": ("float32", "int32", "int8"),
              "MAXIMUM": ("float32", "int32", "int64", "int8", "uint8"),
              "MINIMUM": ("float32", "int32", "int64", "int8", "uint8")}[kind]
    dtype = c.pick(*dtypes)
    sa, sb = two_shapes(c)
    qa, qb, qy = c.quant(dtype), c.quant(dtype), c.quant(dtype, c.n.uniform(4, 16))
    if kind in ("MAXIMUM", "MINIMUM"):
        qb = qy = qa
    low = 0.3 if kind == "POW" else -3
    x = c.x(dtype, sa, qa, low=low)
    second = c.array(dtype, sb, low)
    if kind in ("DIV", "FLOOR_DIV", "FLOOR_MOD"):
        second = np.where(np.abs(second) < 0.5, 1, second).astype(dtype)
    if kind == "POW" and dtype == "int32":
        second = np.abs(second) % 4
    b = c.g.const(second, quant=qb) if c.chance(0.4) else c.g.input(second, qb)
    ins = [x, b]
    names = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "POW": "Pow",
             "MAXIMUM": "MaximumMinimum", "MINIMUM": "MaximumMinimum",
             "SQUARED_DIFFERENCE": "SquaredDifference", "FLOOR_DIV": "FloorDiv",
             "FLOOR_MOD": "FloorMod"}
    o = options(names[kind])
    if fused:
        o.fusedActivationFunction = c.pick(*ACTIVATIONS)
    if kind in ("ADD", "SUB") and dtype == "int16":
        o.potScaleInt16 = False
    return c.g.finish(c.g.op(kind, ins, [c.y(dtype, qy)], o, version=2))


def unary(c):
    kind = c.pick("ABS", "NEG", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS", "FLOOR", "CEIL", "ROUND",
                  "SQUARE", "SIGN", "ABS", "RSQRT")
    dtype = "float32"
    if kind in ("ABS", "RSQRT", "EXP", "LOG") and c.chance(0.4):
        dtype = "int8"
    if kind in ("ABS", "NEG", "SIGN") and dtype == "float32" and c.chance(0.3):
        dtype = "int32"
    positive = kind in ("LOG", "SQRT", "RSQRT")
    q, qy = c.quant(dtype), c.quant(dtype)
    if dtype == "int8" and positive:
        q = Quant(c.n.uniform(0.01, 0.03), -128)
    data = c.array(dtype, c.shape(), 0.1 if positive else -3)
    if dtype == "int8" and positive:
        data = np.maximum(data, -100)
    x = c.g.input(data, q)
    o = {"ABS": "Abs", "NEG": "Neg", "EXP": "Exp", "COS": "Cos", "SQUARE": "Square",
         "SIGN": "Sign"}.get(kind)
    return c.g.finish(c.g.op(kind, [x], [c.y(dtype, qy)], options(o) if o else None, version=2))


def activation(c):
    kind = c.pick("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "TANH", "LOGISTIC", "HARD_SWISH",
                  "ELU", "LEAKY_RELU", "GELU", "SOFTMAX", "LOG_SOFTMAX", "PRELU", "L2_NORMALIZATION")
    dtype = c.kind("int16") if kind in ("TANH", "LOGISTIC") else c.kind()
    if kind in ("RELU_N1_TO_1", "RELU_0_TO_1") and dtype == "uint8":
        dtype = "int8"
    shape = c.shape(c.size(2, 4) if kind in ("PRELU", "SOFTMAX", "LOG_SOFTMAX") else None)
    q = c.quant(dtype)
    qy = c.quant(dtype)
    low = {"int8": -128, "uint8": 0}.get(dtype, 0)
    if dtype == "int16":
        qy = Quant(1 / 32768)
    elif dtype != "float32":
        qy = {"LOGISTIC": Quant(1 / 256, low), "SOFTMAX": Quant(1 / 256, low),
              "TANH": Quant(1 / 128, low + 128), "LOG_SOFTMAX": Quant(16 / 256, low + 255),
              "L2_NORMALIZATION": Quant(1 / 128, low + 128)}.get(kind, qy)
    x = c.x(dtype, shape, q)
    ins = [x]
    if kind == "PRELU":
        alpha = [1] * (len(shape) - 1) + [shape[-1]]
        if len(alpha) != 4 and dtype != "float32":
            pass
        aq = c.quant(dtype, 1.0)
        ins.append(c.g.const(c.array(dtype, alpha, -0.5, 0.5), quant=aq))
    o = None
    if kind == "SOFTMAX":
        o = options("Softmax", beta=c.pick(1.0, 1.0, 0.5, 2.0))
    elif kind == "LEAKY_RELU":
        o = options("LeakyRelu", alpha=c.pick(0.1, 0.2, 0.01))
    elif kind == "GELU":
        o = options("Gelu", approximate=bool(c.size(0, 1)))
    elif kind == "L2_NORMALIZATION":
        o = options("L2Norm")
    return c.g.finish(c.g.op(kind, ins, [c.y(dtype, qy)], o, version=2))


def compare(c):
    kind = c.pick("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
    dtype = c.pick("float32", "int32", "int64", "int8", "uint8")
    sa, sb = two_shapes(c)
    q = c.quant(dtype)
    q2 = q if c.chance(0.7) else c.quant(dtype)
    a, b = c.array(dtype, sa), c.array(dtype, sb)
    if dtype in ("float32", "int32", "int64"):
        a, b = np.round(a / 2).astype(dtype), np.round(b / 2).astype(dtype)
    names = {"EQUAL": "Equal", "NOT_EQUAL": "NotEqual", "LESS": "Less", "LESS_EQUAL": "LessEqual",
             "GREATER": "Greater", "GREATER_EQUAL": "GreaterEqual"}
    ins = [c.g.input(a, q), c.g.input(b, q2)]
    return c.g.finish(c.g.op(kind, ins, [c.y("bool")], options(names[kind]), version=2))


def logic(c):
    kind = c.pick("LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT", "SELECT", "SELECT_V2", "WHERE")
    if kind == "LOGICAL_NOT":
        return c.g.finish(c.g.op(kind, [c.x("bool", c.shape())], [c.y("bool")], options("LogicalNot")))
    if kind == "WHERE":
        return c.g.finish(c.g.op(kind, [c.x("bool", c.shape())], [c.y("int64")], options("Where")))
    if kind.startswith("LOGICAL"):
        sa, sb = two_shapes(c)
        o = options("LogicalAnd" if kind == "LOGICAL_AND" else "LogicalOr")
        return c.g.finish(c.g.op(kind, [c.x("bool", sa), c.x("bool", sb)], [c.y("bool")], o))
    dtype = c.pick("float32", "int32", "int8", "int64", "uint8", "bool")
    q = c.quant(dtype)
    shape = c.shape(c.size(1, 4), 2, 4)
    cond = shape
    other = shape
    if kind == "SELECT" and c.chance(0.3):
        cond = [shape[0]]
    if kind == "SELECT_V2" and c.chance(0.5):
        cond, other = [d if c.chance(0.5) else 1 for d in shape], [d if c.chance(0.7) else 1
                                                                  for d in shape]
    ins = [c.x("bool", cond), c.x(dtype, shape, q), c.x(dtype, other, q)]
    o = options("Select" if kind == "SELECT" else "SelectV2")
    return c.g.finish(c.g.op(kind, ins, [c.y(dtype, q)], o))


# ---- shapes

def any_type(c):
    return c.pick("float32", "float32", "int32", "int64", "int8", "uint8", "bool", "int16")


def reshape(c):
    kind = c.pick("RESHAPE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "TILE",
                  "BROADCAST_TO", "SHAPE", "RANK", "ZEROS_LIKE")
    dtype = any_type(c)
    q = c.quant(dtype)
    shape = c.shape(c.size(1, 4))
    if kind == "SQUEEZE":
        shape = [d if c.chance(0.5) else 1 for d in shape]
    x = c.x(dtype, shape, q)
    rank = len(shape)
    y = c.y(dtype, q)
    if kind == "RESHAPE":
        n = int(np.prod(shape))
        d = c.pick(*[i for i in range(1, n + 1) if n % i == 0])
        to = c.pick([d, n // d], [-1, d], [n], [1, d, -1], [d, 1, n // d, 1])
        if c.chance(0.3):
            return c.g.finish(c.g.op(kind, [x], [y], options("Reshape", newShape=to)))
        return c.g.finish(c.g.op(kind, [x, c.ints(to)], [y], options("Reshape", newShape=to)))
    if kind == "SQUEEZE":
        ones = [i - rank * c.size(0, 1) for i, d in enumerate(shape) if d == 1]
        dims = ones if c.chance(0.5) else []
        return c.g.finish(c.g.op(kind, [x], [y], options("Squeeze", squeezeDims=dims)))
    if kind == "EXPAND_DIMS":
        axis = c.size(-rank - 1, rank)
        return c.g.finish(c.g.op(kind, [x, c.ints([axis])], [y], options("ExpandDims")))
    if kind == "TRANSPOSE":
        return c.g.finish(c.g.op(kind, [x, c.ints(c.n.permutation(rank))], [y], options("Transpose"),
                                 version=2))
    if kind == "TILE":
        return c.g.finish(c.g.op(kind, [x, c.ints(c.shape(rank, 1, 3))], [y], options("Tile")))
    if kind == "BROADCAST_TO":
        to = [c.size(2, 3)] + [d if d > 1 else c.size(1, 3) for d in shape]
        return c.g.finish(c.g.op(kind, [x, c.ints(to)], [y], options("BroadcastTo"), version=2))
    if kind == "SHAPE":
        t = c.pick("int32", "int64")
        return c.g.finish(c.g.op(kind, [x], [c.y(t)], options("Shape", outType={"int32": 2,
                                                                               "int64": 4}[t])))
    if kind == "RANK":
        return c.g.finish(c.g.op(kind, [x], [c.y("int32")], options("Rank")))
    return c.g.finish(c.g.op(kind, [x], [y], options("ZerosLike")))


def join(c):
    kind = c.pick("PACK", "UNPACK", "SPLIT", "SPLIT_V", "CONCATENATION", "CONCATENATION")
    dtype = any_type(c) if kind != "CONCATENATION" else c.kind("int32", "int64", "bool")
    q = c.quant(dtype)
    shape = c.shape(c.size(1, 3) if kind == "PACK" else c.size(1, 4), 1, 4)
    rank = len(shape)
    if kind == "PACK":
        n = c.size(1, 3)
        ins = [c.x(dtype, shape, q) for _ in range(n)]
        axis = c.size(-rank - 1, rank)
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype, q)], options("Pack", valuesCount=n, axis=axis)))
    axis = c.size(0, rank - 1)
    if kind == "CONCATENATION":
        ins = []
        for _ in range(c.size(1, 3)):
            s = list(shape)
            s[axis] = c.size(1, 4)
            own = c.quant(dtype) if dtype == "uint8" and c.chance(0.5) else q
            ins.append(c.x(dtype, s, own))
        o = options("Concatenation", axis=axis - rank * c.size(0, 1))
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype, q)], o, version=2))
    if kind == "UNPACK":
        x = c.x(dtype, shape, q)
        outs = [c.y(dtype, q) for _ in range(shape[axis])]
        c.g.op(kind, [x], outs, options("Unpack", num=shape[axis], axis=axis - rank * c.size(0, 1)))
        return c.g.finish(*outs)
    n = c.size(1, 3)
    if kind == "SPLIT":
        shape[axis] = n * c.size(1, 3)
        x = c.x(dtype, shape, q)
        outs = [c.y(dtype, q) for _ in range(n)]
        c.g.op(kind, [c.g.const(np.int32(axis)), x], outs, options("Split", numSplits=n))
        return c.g.finish(*outs)
    parts = [c.size(1, 3) for _ in range(n)]
    shape[axis] = sum(parts)
    if c.chance(0.4):
        parts[c.size(0, n - 1)] = -1
    x = c.x(dtype, shape, q)
    outs = [c.y(dtype, q) for _ in range(n)]
    c.g.op(kind, [x, c.ints(parts), c.g.const(np.int32(axis))], outs, options("SplitV", numSplits=n))
    return c.g.finish(*outs)


def slices(c):
    kind = c.pick("SLICE", "STRIDED_SLICE", "STRIDED_SLICE", "STRIDED_SLICE", "REVERSE_V2",
                  "REVERSE_SEQUENCE")
    dtype = any_type(c)
    q = c.quant(dtype)
    shape = c.shape(c.size(2, 4) if kind == "REVERSE_SEQUENCE" else c.size(1, 4), 1, 6)
    rank = len(shape)
    x = c.x(dtype, shape, q)
    y = c.y(dtype, q)
    if kind == "SLICE":
        begin = [c.size(0, d - 1) for d in shape]
        size = [c.pick(-1, c.size(1, d - b)) for d, b in zip(shape, begin)]
        return c.g.finish(c.g.op(kind, [x, c.ints(begin), c.ints(size)], [y], options("Slice")))
    if kind == "REVERSE_V2":
        axes = [c.size(0, rank - 1)]
        return c.g.finish(c.g.op(kind, [x, c.ints(axes)], [y], options("ReverseV2")))
    if kind == "REVERSE_SEQUENCE":
        seq, batch = c.n.choice(rank, 2, replace=False)
        lengths = c.ints([c.size(1, shape[seq]) for _ in range(shape[batch])])
        o = options("ReverseSequence", seqDim=int(seq), batchDim=int(batch))
        return c.g.finish(c.g.op(kind, [x, lengths], [y], o))
    begin, end, stride = [], [], []
    shrink = bm = em = 0
    for i, d in enumerate(shape):
        a, b = sorted(c.n.randint(0, d + 1, 2))
        s = c.pick(1, 1, 2, -1, -2)
        if a == b:
            a, b = 0, d
        if c.chance(0.2):
            shrink |= 1 << i
            a, s = c.size(-d, d - 1), 1
            b = a + 1
        elif s < 0:
            a, b = b - 1, (a - 1 if a > 0 else -d - 1)
        bm |= (1 << i) if c.chance(0.2) else 0
        em |= (1 << i) if c.chance(0.2) else 0
        if a > 0 and c.chance(0.2) and not shrink >> i & 1:
            a -= d
        begin.append(a)
        end.append(b)
        stride.append(s)
    new = ellipsis = 0
    if c.chance(0.25) and rank < 4:
        at = c.size(0, rank)
        for values, v in ((begin, 0), (end, 0), (stride, 1)):
            values.insert(at, v)
        low = (1 << at) - 1
        bm, em, shrink = [(m & low) | ((m & ~low) << 1) for m in (bm, em, shrink)]
        new = 1 << at
    elif c.chance(0.25) and rank > 1:
        at = c.size(0, rank - 1)
        ellipsis = 1 << at
    o = options("StridedSlice", beginMask=bm, endMask=em, shrinkAxisMask=shrink, newAxisMask=new,
                ellipsisMask=ellipsis)
    ins = [x, c.ints(begin), c.ints(end), c.ints(stride)]
    return c.g.finish(c.g.op(kind, ins, [y], o, version=4))


def gather(c):
    kind = c.pick("GATHER", "GATHER", "GATHER_ND", "SCATTER_ND", "SPARSE_TO_DENSE",
                  "EMBEDDING_LOOKUP", "DYNAMIC_UPDATE_SLICE", "SEGMENT_SUM", "ONE_HOT",
                  "UNSORTED_SEGMENT_SUM")
    dtype = c.pick("float32", "int32", "int8", "int64", "uint8")
    q = c.quant(dtype)
    it = c.pick("int32", "int64")
    y = c.y(dtype, q)
    shape = c.shape(c.size(1, 3), 2, 5)
    if kind == "GATHER":
        batch = c.size(0, min(1, len(shape) - 1))
        axis = c.size(batch, len(shape) - 1)
        ishape = shape[:batch] + c.shape(c.size(0 if batch == 0 else 1, 2), 1, 3)
        idx = c.n.randint(0, shape[axis], ishape).astype(it)
        o = options("Gather", axis=axis - len(shape) * (c.size(0, 1) if batch == 0 else 0),
                    batchDims=batch)
        ins = [c.x(dtype, shape, q), c.g.input(np.asarray(idx))]
        return c.g.finish(c.g.op(kind, ins, [y], o, version=4))
    if kind == "GATHER_ND":
        depth = c.size(1, len(shape))
        rows = c.shape(c.size(1, 2), 1, 3)
        idx = np.stack([c.n.randint(0, shape[i], rows) for i in range(depth)], -1).astype(it)
        ins = [c.x(dtype, shape, q), c.g.input(idx)]
        return c.g.finish(c.g.op(kind, ins, [y], options("GatherNd"), version=2))
    if kind == "SCATTER_ND":
        dtype = c.pick("float32", "int32", "int64")
        depth = c.size(1, len(shape))
        n = c.size(1, 4)
        idx = np.stack([c.n.randint(0, shape[i], n) for i in range(depth)], -1).astype("int32")
        ins = [c.g.input(idx), c.x(dtype, [n] + shape[depth:]), c.ints(shape)]
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype)], options("ScatterNd")))
    if kind == "SPARSE_TO_DENSE":
        n = c.size(1, 3)
        rows = sorted({tuple(int(c.n.randint(0, d)) for d in shape) for _ in range(n)})
        idx = np.asarray(rows, "int32")
        ins = [c.g.input(idx), c.ints(shape), c.x("float32", [len(rows)]),
               c.g.const(np.float32(c.n.rand()))]
        return c.g.finish(c.g.op(kind, ins, [c.y("float32")], options("SparseToDense")))
    if kind == "EMBEDDING_LOOKUP":
        table = c.shape(2, 2, 6)
        ids = c.n.randint(0, table[0], [c.size(1, 4)]).astype("int32")
        if c.chance(0.4):
            w = c.g.const(c.array("int8", table), quant=Quant(0.02))
        else:
            w = c.g.const(c.array("float32", table))
        return c.g.finish(c.g.op(kind, [c.g.input(ids), w], [c.y("float32")], version=3))
    if kind == "DYNAMIC_UPDATE_SLICE":
        dtype = c.pick("float32", "int32", "int8")
        q = c.quant(dtype)
        part = [c.size(1, d) for d in shape]
        start = np.asarray([c.size(-1, d) for d in shape], "int32")
        ins = [c.x(dtype, shape, q), c.x(dtype, part, q), c.g.input(start)]
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype, q)], options("DynamicUpdateSlice")))
    if kind == "ONE_HOT":
        dtype = c.pick("float32", "int32", "int64", "bool")
        idx = c.n.randint(-1, 6, c.shape(c.size(1, 2), 1, 4)).astype(it)
        rank = idx.ndim
        ins = [c.g.input(idx), c.g.const(np.int32(c.size(1, 5))), c.g.const(np.asarray(1, dtype)),
               c.g.const(np.asarray(0, dtype))]
        o = options("OneHot", axis=c.size(-1, rank))
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype)], o))
    dtype = c.pick("float32", "int32")
    ids = np.sort(c.n.randint(0, 3, [shape[0]])).astype("int32")
    if kind == "SEGMENT_SUM":
        ids -= ids[0]
        ins = [c.x(dtype, shape), c.g.input(ids)]
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype)], options("SegmentSum")))
    ins = [c.x(dtype, shape), c.g.input(ids), c.g.const(np.int32(4))]
    return c.g.finish(c.g.op(kind, ins, [c.y(dtype)], options("UnsortedSegmentSum")))


def pads(c):
    kind = c.pick("PAD", "PADV2", "MIRROR_PAD", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE",
                  "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
    dtype = c.pick("float32", "int8", "uint8", "int32", "int64")
    q = c.quant(dtype)
    y = c.y(dtype, q)
    if kind in ("PAD", "PADV2", "MIRROR_PAD"):
        shape = c.shape(c.size(1, 4), 3, 5)
        p = [[c.size(0, 2), c.size(0, 2)] for _ in shape]
        it = c.pick("int32", "int64")
        ins = [c.x(dtype, shape, q), c.g.const(np.asarray(p, it))]
        if kind == "PADV2":
            ins.append(c.g.const(c.array(dtype, []), quant=q))
        o = {"PAD": options("Pad"), "PADV2": options("PadV2"),
             "MIRROR_PAD": options("MirrorPad", mode=c.size(0, 1))}[kind]
        return c.g.finish(c.g.op(kind, ins, [y], o, version=2))
    b = c.size(2, 3)
    if kind == "SPACE_TO_DEPTH":
        x = c.x(dtype, [1, b * c.size(1, 3), b * c.size(1, 3), c.size(1, 3)], q)
        return c.g.finish(c.g.op(kind, [x], [y], options("SpaceToDepth", blockSize=b)))
    if kind == "DEPTH_TO_SPACE":
        x = c.x(dtype, [1, c.size(1, 3), c.size(1, 3), b * b * c.size(1, 3)], q)
        return c.g.finish(c.g.op(kind, [x], [y], options("DepthToSpace", blockSize=b)))
    block = [c.size(1, 3), c.size(1, 3)]
    edges = [[c.size(0, 2), c.size(0, 2)] for _ in block]
    if kind == "SPACE_TO_BATCH_ND":
        hw = []
        for i in (0, 1):
            n = c.size(2, 5)
            edges[i][1] = (-(n + edges[i][0])) % block[i]
            hw.append(n)
        shape = [c.size(1, 2), *hw, c.size(1, 3)]
        o = options("SpaceToBatchND")
    else:
        edges = [[min(e, 1) for e in pair] for pair in edges]
        shape = [c.size(1, 2) * block[0] * block[1], c.size(3, 4), c.size(3, 4), c.size(1, 3)]
        o = options("BatchToSpaceND")
    open_sizes = [-1 if c.chance(0.5) else n for n in shape] if c.chance(0.5) else None
    x = c.g.input(c.array(dtype, shape), q, open_sizes)
    numbers = [c.g.input(np.asarray(n, np.int32)) if c.chance(0.25) else c.ints(n) for n in (block, edges)]
    return c.g.finish(c.g.op(kind, [x, *numbers], [y], o, version=2))


def reduce(c):
    kind = c.pick("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY",
                  "REDUCE_ALL", "ARG_MAX", "ARG_MIN", "TOPK_V2", "CUMSUM", "MEAN")
    shape = c.shape(c.size(1, 4), 1, 5)
    rank = len(shape)
    if kind in ("REDUCE_ANY", "REDUCE_ALL"):
        dtype = "bool"
    elif kind in ("REDUCE_PROD", "CUMSUM"):
        dtype = c.pick("float32", "int32", "int64")
    elif kind in ("MEAN", "SUM"):
        dtype = c.pick("float32", "float32", "int32", "int64", "int8", "uint8", "int16")
    else:
        dtype = c.pick("float32", "int32", "int8", "uint8", "int64")
    q = c.quant(dtype)
    qy = c.quant(dtype) if kind in ("MEAN", "SUM") and c.chance(0.6) else q
    span = 0.5 if kind == "REDUCE_PROD" else 3.0  # products must not overflow
    x = c.x(dtype, shape, q, low=-span, high=span)
    if kind in ("ARG_MAX", "ARG_MIN"):
        t = c.pick("int32", "int64")
        o = options("ArgMax" if kind == "ARG_MAX" else "ArgMin", outputType={"int32": 2,
                                                                            "int64": 4}[t])
        ins = [x, c.g.const(np.int32(c.size(-rank, rank - 1)))]
        return c.g.finish(c.g.op(kind, ins, [c.y(t)], o, version=2))
    if kind == "TOPK_V2":
        outs = [c.y(dtype, q), c.y("int32")]
        c.g.op(kind, [x, c.g.const(np.int32(c.size(1, shape[-1])))], outs, options("TopKV2"), version=2)
        return c.g.finish(*outs)
    if kind == "CUMSUM":
        o = options("Cumsum", exclusive=bool(c.size(0, 1)), reverse=bool(c.size(0, 1)))
        ins = [x, c.g.const(np.int32(c.size(-rank, rank - 1)))]
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype)], o))
    axes = sorted(c.n.choice(rank, c.size(1, rank), replace=False).tolist())
    axes = [a - rank * c.size(0, 1) for a in axes]
    o = options("Reducer", keepDims=bool(c.size(0, 1)))
    return c.g.finish(c.g.op(kind, [x, c.ints(axes)], [c.y(dtype, qy)], o, version=2))


def resize(c):
    kind = c.pick("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
    dtype = c.kind()
    q = c.quant(dtype)
    x = c.x(dtype, [c.size(1, 2), c.size(1, 6), c.size(1, 6), c.size(1, 3)], q)
    corners = c.chance(0.35)
    half = not corners and c.chance(0.5)
    name = "ResizeBilinear" if kind == "RESIZE_BILINEAR" else "ResizeNearestNeighbor"
    o = options(name, alignCorners=corners, halfPixelCenters=half)
    ins = [x, c.ints([c.size(1, 9), c.size(1, 9)])]
    return c.g.finish(c.g.op(kind, ins, [c.y(dtype, q)], o, version=3))


def convert(c):
    kind = c.pick("QUANTIZE", "DEQUANTIZE", "CAST", "REQUANTIZE", "FAKE_QUANT")
    shape = c.shape()
    if kind == "QUANTIZE":
        dtype = c.pick("int8", "uint8", "int16")
        return c.g.finish(c.g.op(kind, [c.x("float32", shape)], [c.y(dtype, c.quant(dtype))],
                                 options("Quantize"), version=2))
    if kind == "DEQUANTIZE":
        dtype = c.pick("int8", "uint8", "int16", "float16")
        x = c.x(dtype, shape, c.quant(dtype))
        return c.g.finish(c.g.op(kind, [x], [c.y("float32")], options("Dequantize"), version=3))
    if kind == "REQUANTIZE":
        a, b = c.pick(("int8", "int8"), ("uint8", "int8"), ("int8", "uint8"), ("int16", "int8"),
                      ("int8", "int16"), ("uint8", "uint8"))
        return c.g.finish(c.g.op("QUANTIZE", [c.x(a, shape, c.quant(a))], [c.y(b, c.quant(b))],
                                 options("Quantize"), version=2))
    if kind == "FAKE_QUANT":
        o = options("FakeQuant", min=-c.n.uniform(0, 3), max=c.n.uniform(0.5, 3), numBits=8,
                    narrowRange=c.chance(0.3))
        return c.g.finish(c.g.op(kind, [c.x("float32", shape)], [c.y("float32")], o, version=2))
    a = c.pick("float32", "int32", "int64", "bool")
    b = c.pick("float32", "int32", "int64", "bool", "int8")
    return c.g.finish(c.g.op("CAST", [c.x(a, shape)], [c.y(b)], options("Cast")))


def make(c):
    kind = c.pick("FILL", "RANGE", "LRN", "MATRIX_DIAG", "MATRIX_SET_DIAG", "UNIQUE", "ADD_N",
                  "BROADCAST_ARGS", "ATAN2", "BUCKETIZE")
    if kind == "FILL":
        dtype = c.pick("float32", "int32", "int64", "bool")
        ins = [c.ints(c.shape()), c.g.input(c.array(dtype, []) if dtype != "bool" else np.array(True))]
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype)], options("Fill")))
    if kind == "RANGE":
        dtype = c.pick("float32", "int32")
        ins = [c.g.input(np.asarray(v, dtype)) for v in (c.size(0, 3), c.size(5, 12), c.size(1, 3))]
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype)], options("Range")))
    if kind == "LRN":
        o = options("LocalResponseNormalization", radius=c.size(0, 3), bias=c.n.uniform(0.5, 2),
                    alpha=c.n.uniform(0, 1), beta=c.n.uniform(0.3, 1))
        x = c.x("float32", [1, 3, 3, c.size(1, 8)])
        return c.g.finish(c.g.op("LOCAL_RESPONSE_NORMALIZATION", [x], [c.y("float32")], o))
    if kind == "MATRIX_DIAG":
        dtype = c.pick("float32", "int32", "int8")
        return c.g.finish(c.g.op(kind, [c.x(dtype, c.shape(c.size(1, 3)))], [c.y(dtype)],
                                 options("MatrixDiag")))
    if kind == "MATRIX_SET_DIAG":
        shape = c.shape(c.size(2, 3))
        x = c.x("float32", shape)
        d = c.x("float32", shape[:-2] + [min(shape[-2:])])
        return c.g.finish(c.g.op(kind, [x, d], [c.y("float32")], options("MatrixSetDiag")))
    if kind == "UNIQUE":
        dtype = c.pick("float32", "int32", "int64")
        outs = [c.y(dtype), c.y("int32")]
        x = c.g.input(c.n.randint(0, 4, [c.size(1, 9)]).astype(dtype))
        c.g.op(kind, [x], outs, options("Unique", idxOutType=2))
        return c.g.finish(*outs)
    if kind == "ADD_N":
        shape = c.shape()
        dtype = c.pick("float32", "int32")
        ins = [c.x(dtype, shape) for _ in range(c.size(2, 4))]
        return c.g.finish(c.g.op(kind, ins, [c.y(dtype)], options("AddN")))
    if kind == "BROADCAST_ARGS":
        a, b = two_shapes(c)
        ins = [c.g.input(np.asarray(a, "int32")), c.g.input(np.asarray(b, "int32"))]
        return c.g.finish(c.g.op(kind, ins, [c.y("int32")]))
    if kind == "ATAN2":
        shape = c.shape()
        return c.g.finish(c.g.op(kind, [c.x("float32", shape), c.x("float32", shape)],
                                 [c.y("float32")], options("ATan2")))
    o = options("Bucketize", boundaries=sorted(c.n.uniform(-2, 2, c.size(1, 4)).tolist()))
    return c.g.finish(c.g.op(kind, [c.x("float32", c.shape())], [c.y("int32")], o))


# ---- recurrent

def rnn(c):
    kind = c.pick("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "SVDF", "LSTM_FULL", "LSTM_FULL", "BIDI",
                  "BIDI_RNN")
    b, t, i, u = c.size(1, 2), c.size(1, 4), c.size(1, 4), c.size(1, 4)
    f = lambda *s: c.g.const(c.array("float32", s, -1, 1))  # noqa: E731
    hybrid_weights = c.chance(0.4)

    def m(*shape):
        """A matrix of weights."""
        if not hybrid_weights:
            return f(*shape)
        content = np.maximum(c.array("int8", shape), -127)
        return c.g.const(content, quant=Quant(c.n.uniform(0.002, 0.01)))

    var = lambda *s: c.g.tensor("float32", s, variable=True)  # noqa: E731
    major = bool(c.size(0, 1))
    if kind == "BIDI" and not major:
        b = 1  # the runtime reads the second item's state from the wrong place
    if kind == "BIDI_RNN" and hybrid_weights:
        major = False  # the runtime goes through the sequence as many times as it has steps
    xs = [t, b, i] if major else [b, t, i]
    if kind == "RNN":
        o = options("RNN", fusedActivationFunction=c.pick(0, 1, 4))
        return c.g.finish(c.g.op(kind, [c.x("float32", [b, i]), m(u, i), m(u, u), f(u), var(b, u)],
                                 [c.y("float32")], o))
    if kind == "UNIDIRECTIONAL_SEQUENCE_RNN":
        o = options("SequenceRNN", timeMajor=major, fusedActivationFunction=c.pick(0, 1, 4))
        return c.g.finish(c.g.op(kind, [c.x("float32", xs), m(u, i), m(u, u), f(u), var(b, u)],
                                 [c.y("float32")], o))
    if kind == "BIDI_RNN":
        merge = bool(c.size(0, 1))
        o = options("BidirectionalSequenceRNN", timeMajor=major, mergeOutputs=merge,
                    fusedActivationFunction=c.pick(1, 4))
        ins = [c.x("float32", xs), m(u, i), m(u, u), f(u), var(b, u), m(u, i), m(u, u), f(u),
               var(b, u), -1, -1, -1]
        outs = [c.y("float32")] + ([] if merge else [c.y("float32")])
        c.g.op("BIDIRECTIONAL_SEQUENCE_RNN", ins, outs, o)
        return c.g.finish(*outs)
    if kind == "SVDF":
        rank, memory = c.size(1, 2), c.size(1, 4)
        o = options("SVDF", rank=rank, fusedActivationFunction=c.pick(0, 1))
        ins = [c.x("float32", [b, i]), m(u * rank, i), m(u * rank, memory), f(u),
               var(b, memory * u * rank)]
        return c.g.finish(c.g.op(kind, ins, [c.y("float32")], o))
    projection = c.chance(0.3)
    out = c.size(1, 3) if projection else u
    coupled, peep = c.chance(0.25), c.chance(0.3)

    def direction():
        w = [-1 if coupled and g == 0 else m(u, i) for g in range(4)]
        r = [-1 if coupled and g == 0 else m(u, out) for g in range(4)]
        p = [m(u) if peep and not (coupled and g == 0) else -1 for g in range(3)]
        bs = [-1 if coupled and g == 0 else f(u) for g in range(4)]
        pr = [m(out, u), f(out) if c.chance(0.5) else -1] if projection else [-1, -1]
        return w + r + p + bs + pr

    clip = c.pick(0.0, 0.0, 0.4)
    pclip = c.pick(0.0, 0.3)
    if kind == "BIDI":
        merge = bool(c.size(0, 1))
        o = options("BidirectionalSequenceLSTM", fusedActivationFunction=4, cellClip=clip,
                    projClip=pclip, mergeOutputs=merge, timeMajor=major)
        ins = [c.x("float32", xs)] + direction() + direction()
        ins += [var(b, out), var(b, u), var(b, out), var(b, u)] + [-1] * 9
        outs = [c.y("float32")] + ([] if merge else [c.y("float32")])
        c.g.op("BIDIRECTIONAL_SEQUENCE_LSTM", ins, outs, o)
        return c.g.finish(*outs)
    ins = direction() + [var(b, out), var(b, u)]
    if c.chance(0.3):
        ins += [-1 if coupled and g == 0 else f(u) for g in range(4)]
    else:
        ins += [-1] * 4
    if c.chance(0.3):
        o = options("LSTM", fusedActivationFunction=4, cellClip=clip, projClip=pclip)
        return c.g.finish(c.g.op("LSTM", [c.x("float32", [b, i])] + ins, [c.y("float32")], o))
    o = options("UnidirectionalSequenceLSTM", fusedActivationFunction=4, cellClip=clip,
                projClip=pclip, timeMajor=major)
    return c.g.finish(c.g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [c.x("float32", xs)] + ins,
                             [c.y("float32")], o))


def integer_svdf(c):
    """SVDF of integers, whose state and weights over time have 16 bits. The runtime takes it with ReLU
    only, which it leaves to the output's type, and does not look after sums beyond 32 bits."""
    b, i, u, rank, memory = c.size(1, 2), c.size(1, 4), c.size(1, 4), c.size(1, 2), c.size(1, 4)
    xq, wq = c.quant("int8", 4), Quant(c.n.uniform(0.004, 0.01))
    tq, sq = Quant(c.n.uniform(0.5, 1) / 4096), Quant(c.n.uniform(4, 8) / 65535)
    feature = c.g.const(np.maximum(c.array("int8", [u * rank, i]), -127), quant=wq)
    time = c.g.const(c.array("int16", [u * rank, memory]) // 8, quant=tq)
    step = float(sq.scale[0] * tq.scale[0])
    bias_ = c.g.const((c.n.uniform(-1, 1, u) / step).astype("int32"), quant=Quant(step))
    state = c.g.tensor("int16", [b, memory * u * rank], quant=sq, variable=True)
    o = options("SVDF", rank=rank, fusedActivationFunction=1)
    ins = [c.x("int8", [b, i], xq), feature, time, bias_, state]
    return c.g.finish(c.g.op("SVDF", ins, [c.y("int8", Quant(4 / 255, -128))], o, version=3))


def stream(c):
    """A recurrent layer that hears several requests."""
    graph = integer_svdf(c) if c.chance(0.2) else rnn(c)
    graph.later = [[c.array(str(feed.dtype), feed.shape) for feed in graph.feeds]
                   for _ in range(c.size(1, 2))]
    return graph


def control(c):
    """IF and WHILE over other graphs."""
    shape = c.shape(c.size(1, 2))
    if c.chance(0.5):
        model = Model()
        main = Graph(model)
        c.g = main
        cond = main.input(np.asarray(c.chance(0.5)))
        x = c.x("float32", shape)
        for kind in ("ADD", "MUL"):
            body = Graph(model)
            a = body.tensor("float32", shape)
            body.graph.inputs = [a]
            two = body.const(np.float32(2.5))
            y = body.tensor("float32", shape)
            body.op(kind, [a, two], [y], options(kind.title()))
            body.finish(y)
        y = main.tensor("float32", shape)
        main.op("IF", [cond, x], [y], options("If", thenSubgraphIndex=1, elseSubgraphIndex=2))
        return main.finish(y)
    model = Model()
    main = Graph(model)
    c.g = main
    n = main.input(np.asarray([0], "int32"))
    x = c.x("float32", shape)
    test = Graph(model)
    i, v = test.tensor("int32", [1]), test.tensor("float32", shape)
    test.graph.inputs = [i, v]
    r = test.tensor("bool", [1])
    test.op("LESS", [i, test.const(np.asarray([c.size(0, 4)], "int32"))], [r], options("Less"))
    test.finish(r)
    body = Graph(model)
    i, v = body.tensor("int32", [1]), body.tensor("float32", shape)
    body.graph.inputs = [i, v]
    j, w = body.tensor("int32", [1]), body.tensor("float32", shape)
    body.op("ADD", [i, body.const(np.asarray([1], "int32"))], [j], options("Add"))
    body.op("MUL", [v, body.const(np.float32(1.5))], [w], options("Mul"))
    body.finish(j, w)
    outs = [main.tensor("int32", [1]), main.tensor("float32", shape)]
    main.op("WHILE", [n, x], outs, options("While", condSubgraphIndex=1, bodySubgraphIndex=2))
    return main.finish(*outs)


def spectrum(c):
    shape = c.shape(c.size(0, 2)) + [1, c.size(4, 16)]
    x = c.x("float32", shape)
    length = c.pick(4, 8, 16)
    z = c.g.tensor("complex64", [1])
    c.g.op("RFFT2D", [x, c.ints([1, length])], [z], options("Rfft2d"))
    kind = c.pick("COMPLEX_ABS", "REAL", "IMAG")
    return c.g.finish(c.g.op(kind, [z], [c.y("float32")]))


def detection(c):
    n = c.size(2, 12)
    yx = c.n.uniform(0, 1, (n, 2)).astype("float32")
    boxes = np.concatenate([yx, yx + c.n.uniform(0.1, 0.6, (n, 2)).astype("float32")], 1)
    scores = c.n.permutation(np.linspace(0.1, 0.9, n)).astype("float32")
    most = c.size(1, n)
    if c.chance(0.6):
        five = c.chance(0.5)
        ins = [c.g.input(boxes), c.g.input(scores), c.g.const(np.int32(most)),
               c.g.const(np.float32(c.n.uniform(0.2, 0.8))), c.g.const(np.float32(c.n.uniform(0, 0.5)))]
        if five:
            ins.append(c.g.const(np.float32(0)))
            outs = [c.y("int32"), c.y("float32"), c.y("int32")]
            c.g.op("NON_MAX_SUPPRESSION_V5", ins, outs, options("NonMaxSuppressionV5"))
        else:
            outs = [c.y("int32"), c.y("int32")]
            c.g.op("NON_MAX_SUPPRESSION_V4", ins, outs, options("NonMaxSuppressionV4"))
        return c.g.finish(*outs)
    from flatbuffers import flexbuffers
    classes = c.size(1, 4)
    several = c.size(1, min(2, classes))
    regular = c.chance(0.5)
    flex = flexbuffers.Builder()
    with flex.Map():
        flex.Int("max_detections", most)
        flex.Int("max_classes_per_detection", several)
        flex.Int("detections_per_class", c.size(1, 5))
        flex.Bool("use_regular_nms", regular)
        flex.Float("nms_score_threshold", float(c.n.uniform(0, 0.4)))
        flex.Float("nms_iou_threshold", float(c.n.uniform(0.3, 0.7)))
        flex.Int("num_classes", classes)
        for key, value in (("y_scale", 10), ("x_scale", 10), ("h_scale", 5), ("w_scale", 5)):
            flex.Float(key, float(value))
    codes = c.x("float32", [1, n, 4], low=-1, high=1)
    columns = classes + c.size(0, 1)
    scores = c.n.permutation(np.linspace(0.05, 0.95, n * columns)).reshape(1, n, columns)
    centre = np.concatenate([c.n.uniform(0.2, 0.8, (n, 2)), c.n.uniform(0.1, 0.4, (n, 2))], 1)
    ins = [codes, c.g.input(scores.astype("float32")), c.g.const(centre.astype("float32"))]
    outs = [c.y("float32") for _ in range(4)]
    c.g.op("TFLite_Detection_PostProcess", ins, outs, custom=bytes(flex.Finish()))
    return c.g.finish(*outs)


def chain(c):
    """A few layers of a small quantised or float picture network."""
    dtype = c.kind()
    shape = [1, c.size(6, 10), c.size(6, 10), c.size(1, 4)]
    q = c.quant(dtype)
    x = c.x(dtype, shape, q)
    for _ in range(c.size(2, 4)):
        kind = c.pick("conv", "depthwise", "pool", "add", "pad", "logistic")
        if kind in ("conv", "depthwise"):
            out = c.size(1, 4) if kind == "conv" else shape[3]
            ws = [out, 3, 3, shape[3]] if kind == "conv" else [1, 3, 3, out]
            w, wq = conv_weights(c, dtype, ws, 0 if kind == "conv" else 3)
            b = bias(c, dtype, out, q, wq)
            qy = conv_quant(c, dtype, 9 * (shape[3] if kind == "conv" else 1))
            name = "Conv2D" if kind == "conv" else "DepthwiseConv2D"
            o = options(name, padding=0, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1,
                        fusedActivationFunction=c.pick(*ACTIVATIONS))
            if kind == "depthwise":
                o.depthMultiplier = 1
            y = c.y(dtype, qy)
            c.g.op("CONV_2D" if kind == "conv" else "DEPTHWISE_CONV_2D", [x, w, b], [y], o, version=3)
            shape, q = shape[:3] + [out], qy
        elif kind == "pool":
            if min(shape[1:3]) < 3:
                continue
            y = c.y(dtype, q)
            o = options("Pool2D", padding=1, strideW=1, strideH=1, filterWidth=2, filterHeight=2)
            c.g.op(c.pick("MAX_POOL_2D", "AVERAGE_POOL_2D"), [x], [y], o, version=2)
            shape = [1, shape[1] - 1, shape[2] - 1, shape[3]]
        elif kind == "add":
            qy = c.quant(dtype, 12)
            y = c.y(dtype, qy)
            c.g.op("ADD", [x, x], [y], options("Add"), version=2)
            q = qy
        elif kind == "pad":
            y = c.y(dtype, q)
            c.g.op("PAD", [x, c.ints([[0, 0], [1, 0], [0, 1], [0, 0]])], [y], options("Pad"), version=2)
            shape = [1, shape[1] + 1, shape[2] + 1, shape[3]]
        else:
            low = {"int8": -128, "uint8": 0}.get(dtype, 0)
            qy = None if dtype == "float32" else Quant(1 / 256, low)
            y = c.y(dtype, qy)
            c.g.op("LOGISTIC", [x], [y], version=2)
            q = qy
        x = y
    return c.g.finish(x)


FAMILIES = [conv_2d, conv_2d, depthwise, transpose_conv, conv_3d, hybrid, pool, fully_connected,
            fully_connected, batch_matmul, binary, binary, binary, unary, activation, activation,
            compare, logic, reshape, join, slices, slices, gather, gather, pads, pads, reduce, reduce,
            resize, convert, make, rnn, rnn, stream, control, spectrum, detection, chain, chain]
