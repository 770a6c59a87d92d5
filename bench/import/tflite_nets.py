"""Nets for TensorFlow Lite with random weights: MobileNet 1 to 3, EfficientNet-lite; float, with weights of
FP16, or integers with a scale for each channel."""

import numpy as np

from common import MOBILENET_V1  # first: where the next one is found
from graph_writer import Graph, Quant, options  # pylint: disable=wrong-import-order

NONE, RELU, RELU6 = 0, 1, 3
SAME, VALID = 0, 1

# How much wider inside, kernel, output channels, stride of the first, how many.
MOBILENET_V2 = [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 3, 32, 2, 3), (6, 3, 64, 2, 4),
                (6, 3, 96, 1, 3), (6, 3, 160, 2, 3), (6, 3, 320, 1, 1)]
EFFICIENTNET_LITE0 = [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 2, 3),
                      (6, 5, 112, 1, 3), (6, 5, 192, 2, 4), (6, 3, 320, 1, 1)]
# Kernel, channels inside and out, squeeze and excite, hard swish, stride.
MOBILENET_V3_SMALL = [
    (3, 16, 16, True, False, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2), (5, 240, 40, True, True, 1), (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1), (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1), (5, 576, 96, True, True, 1)]


class TfliteNet:
    """A net under construction; `weights` is "float", "half" or "int8"."""

    def __init__(self, size, weights):
        self.n, self.g, self.kind = np.random.RandomState(1), Graph(), weights
        self.scales = {}
        shape = (1, size, size, 3)
        if weights == "int8":
            self.x = self.g.input(np.zeros(shape, np.int8), Quant(1 / 128, 0))
            self.scales[self.x] = 1 / 128
        else:
            self.x = self.g.input(np.zeros(shape, np.float32))
        self.channels = 3

    def random(self, shape, inputs):
        return (self.n.randn(*shape) * np.sqrt(2 / inputs)).astype(np.float32)

    def result(self, activation=NONE):
        if self.kind != "int8":
            return self.g.tensor("float32")
        scale, zero = (6 / 255, -128) if activation == RELU6 else (self.n.uniform(0.02, 0.06), 3)
        y = self.g.tensor("int8", quant=Quant(scale, zero))
        self.scales[y] = scale
        return y

    def weights(self, x, w, outputs, axis):
        """The numbers of weights and bias."""
        bias = np.full(outputs, 0.1, np.float32)
        if self.kind == "float":
            return self.g.const(w), self.g.const(bias)
        if self.kind == "half":
            return self.widened(w), self.widened(bias)
        other = tuple(i for i in range(w.ndim) if i != axis)
        scale = np.abs(w).max(other) / 127
        shape = [1] * w.ndim
        shape[axis] = outputs
        stored = np.round(w / scale.reshape(shape)).astype(np.int8)
        steps = scale * self.scales[x]
        return (self.g.const(stored, quant=Quant(scale, 0, axis)),
                self.g.const(np.round(bias / steps).astype(np.int32), quant=Quant(steps, 0, 0)))

    def widened(self, array):
        y = self.g.tensor("float32", array.shape)
        return self.g.op("DEQUANTIZE", [self.g.const(array.astype(np.float16))], [y],
                         options("Dequantize"), version=3)

    def layer(self, name, kind, w, outputs, stride, activation, axis, **more):
        o = options(kind, padding=SAME, strideW=stride, strideH=stride, dilationWFactor=1,
                    dilationHFactor=1, fusedActivationFunction=activation, **more)
        operands = [self.x, *self.weights(self.x, w, outputs, axis)]
        self.x = self.g.op(name, operands, [self.result(activation)], o,
                           version=3 if self.kind == "int8" else 1)
        self.channels = outputs
        return self.x

    def conv(self, outputs, kernel=1, stride=1, activation=RELU6):
        w = self.random((outputs, kernel, kernel, self.channels), kernel * kernel * self.channels)
        return self.layer("CONV_2D", "Conv2D", w, outputs, stride, activation, 0)

    def depthwise(self, kernel, stride, activation=RELU6):
        w = self.random((1, kernel, kernel, self.channels), kernel * kernel)
        return self.layer("DEPTHWISE_CONV_2D", "DepthwiseConv2D", w, self.channels, stride,
                          activation, 3, depthMultiplier=1)

    def add(self, a, b):
        self.x = self.g.op("ADD", [a, b], [self.result()], options("Add"),
                           version=2 if self.kind == "int8" else 1)
        return self.x

    def hard_swish(self):
        self.x = self.g.op("HARD_SWISH", [self.x], [self.result()], options("HardSwish"))

    def squeeze_and_excite(self):
        x, channels = self.x, self.channels
        axes = self.g.const(np.asarray([1, 2], np.int32))
        self.x = self.g.op("MEAN", [x, axes], [self.result()], options("Reducer", keepDims=True))
        self.conv(max(8, channels // 32 * 8), activation=RELU)
        self.conv(channels, activation=NONE)
        half = options("Add", fusedActivationFunction=RELU6)
        y = self.g.op("ADD", [self.x, self.g.const(np.full(1, 3, np.float32))], [self.result()], half)
        y = self.g.op("MUL", [y, self.g.const(np.full(1, 1 / 6, np.float32))], [self.result()],
                      options("Mul"))
        self.x = self.g.op("MUL", [x, y], [self.result()], options("Mul"))

    def inverted(self, wider, kernel, outputs, stride):
        x, channels = self.x, self.channels
        if wider != 1:
            self.conv(channels * wider)
        self.depthwise(kernel, stride)
        y = self.conv(outputs, activation=NONE)
        if stride == 1 and channels == outputs:
            self.add(x, y)

    def pool(self):
        size = 7
        y = self.result()
        if self.kind == "int8":  # not rescaled
            quant = self.g.graph.tensors[self.x].quantization
            self.g.graph.tensors[y].quantization = quant
            self.scales[y] = self.scales[self.x]
        self.x = self.g.op("AVERAGE_POOL_2D", [self.x], [y],
                           options("Pool2D", padding=VALID, strideW=1, strideH=1, filterWidth=size,
                                   filterHeight=size), version=2 if self.kind == "int8" else 1)

    def classes(self):
        self.conv(1000, activation=NONE)
        y = self.g.tensor("int8", quant=Quant(self.scales[self.x], 3)) if self.kind == "int8" else (
            self.g.tensor("float32"))
        y = self.g.op("RESHAPE", [self.x, self.g.const(np.asarray([1, 1000], np.int32))], [y])
        out = self.g.tensor("int8", quant=Quant(1 / 256, -128)) if self.kind == "int8" else (
            self.g.tensor("float32"))
        out = self.g.op("SOFTMAX", [y], [out], options("Softmax", beta=1.0),
                        version=2 if self.kind == "int8" else 1)
        return self.g.finish(out).model.bytes()


def mobilenet_v1(weights):
    net = TfliteNet(224, weights)
    net.conv(32, 3, 2)
    for outputs, stride in MOBILENET_V1:
        net.depthwise(3, stride)
        net.conv(outputs)
    net.pool()
    return net.classes()


def inverted_residuals(blocks, weights):
    net = TfliteNet(224, weights)
    net.conv(32, 3, 2)
    for wider, kernel, outputs, stride, times in blocks:
        for i in range(times):
            net.inverted(wider, kernel, outputs, stride if i == 0 else 1)
    net.conv(1280)
    net.pool()
    return net.classes()


def mobilenet_v3_small(weights):
    net = TfliteNet(224, weights)
    net.conv(16, 3, 2, NONE)
    net.hard_swish()
    for kernel, inside, outputs, excite, swish, stride in MOBILENET_V3_SMALL:
        x, channels = net.x, net.channels
        net.conv(inside, activation=NONE if swish else RELU)
        if swish:
            net.hard_swish()
        net.depthwise(kernel, stride, NONE if swish else RELU)
        if swish:
            net.hard_swish()
        if excite:
            net.squeeze_and_excite()
        y = net.conv(outputs, activation=NONE)
        if stride == 1 and channels == outputs:
            net.add(x, y)
    net.conv(576, activation=NONE)
    net.hard_swish()
    net.pool()
    net.conv(1024, activation=NONE)
    net.hard_swish()
    return net.classes()


ALL = {
    "mobilenet-v1-224-float": lambda: mobilenet_v1("float"),
    "mobilenet-v1-224-half": lambda: mobilenet_v1("half"),
    "mobilenet-v1-224-int8": lambda: mobilenet_v1("int8"),
    "mobilenet-v2-224-float": lambda: inverted_residuals(MOBILENET_V2, "float"),
    "mobilenet-v2-224-int8": lambda: inverted_residuals(MOBILENET_V2, "int8"),
    "mobilenet-v3-small-float": lambda: mobilenet_v3_small("float"),
    "efficientnet-lite0-float": lambda: inverted_residuals(EFFICIENTNET_LITE0, "float"),
    "efficientnet-lite0-int8": lambda: inverted_residuals(EFFICIENTNET_LITE0, "int8")}
