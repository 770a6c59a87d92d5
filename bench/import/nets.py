"""Nets whose speed is compared, with random weights: MobileNet (TensorFlow Lite, Caffe), SqueezeNet 1.1
and a GoogLeNet (Caffe)."""

import os
import sys

import numpy as np

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
for format_name in ("tflite", "caffe"):
    sys.path.insert(0, os.path.join(ROOT, "tests", "oracles", format_name))
from caffe_writer import Net  # noqa: E402
from graph_writer import Graph, options  # noqa: E402

# Output channels and stride of MobileNet's pairs of layers.
MOBILENET = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [
    (1024, 2), (1024, 1)]


def random_weights(n, shape, inputs):
    return (n.randn(*shape) * np.sqrt(2 / inputs)).astype(np.float32)


def tflite_mobilenet(half):
    """MobileNet 1.0, 224; with `half`, weights of FP16 behind DEQUANTIZE."""
    n, g = np.random.RandomState(1), Graph()

    def const(array):
        if not half:
            return g.const(array)
        y = g.tensor("float32", array.shape)
        return g.op("DEQUANTIZE", [g.const(array.astype(np.float16))], [y], options("Dequantize"),
                    version=3)

    def layer(x, name, kind, weights, outputs, stride, activation=3, **more):
        o = options(kind, padding=0, strideW=stride, strideH=stride, dilationWFactor=1,
                    dilationHFactor=1, fusedActivationFunction=activation, **more)
        bias = const(np.full(outputs, 0.1, np.float32))
        return g.op(name, [x, const(weights), bias], [g.tensor("float32")], o)

    x = g.input(np.zeros((1, 224, 224, 3), np.float32))
    x = layer(x, "CONV_2D", "Conv2D", random_weights(n, (32, 3, 3, 3), 27), 32, 2)
    channels = 32
    for outputs, stride in MOBILENET:
        x = layer(x, "DEPTHWISE_CONV_2D", "DepthwiseConv2D",
                  random_weights(n, (1, 3, 3, channels), 9), channels, stride, depthMultiplier=1)
        x = layer(x, "CONV_2D", "Conv2D", random_weights(n, (outputs, 1, 1, channels), channels),
                  outputs, 1)
        channels = outputs
    x = g.op("AVERAGE_POOL_2D", [x], [g.tensor("float32")],
             options("Pool2D", padding=1, strideW=1, strideH=1, filterWidth=7, filterHeight=7))
    x = layer(x, "CONV_2D", "Conv2D", random_weights(n, (1000, 1, 1, 1024), 1024), 1000, 1, 0)
    x = g.op("RESHAPE", [x, g.const(np.asarray([1, 1000], np.int32))], [g.tensor("float32")])
    x = g.op("SOFTMAX", [x], [g.tensor("float32")], options("Softmax", beta=1.0))
    return g.finish(x).model.bytes()


class CaffeNet:
    def __init__(self, size):
        self.n, self.net = np.random.RandomState(1), Net()
        self.x, self.channels = self.net.input("data", [1, 3, size, size]), 3

    def conv(self, outputs, kernel=1, stride=1, pad=0, group=1, relu=True, x=None, inputs=None):
        x, inputs = x or self.x, inputs or self.channels
        each = inputs // group
        w = random_weights(self.n, (outputs, each, kernel, kernel), each * kernel * kernel)
        number = len(self.net.layers)
        x = self.net.layer("Convolution", [x], [f"x{number}"], (
            f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} stride: {stride} "
            f"pad: {pad} group: {group} }}"), [w, np.full(outputs, 0.1, np.float32)])
        if relu:
            self.net.layer("ReLU", [x], [x])
        self.x, self.channels = x, outputs
        return x

    def pool(self, kind, kernel, stride, pad=0, x=None):
        self.x = self.net.layer("Pooling", [x or self.x], [f"x{len(self.net.layers)}"], (
            f"pooling_param {{ pool: {kind} kernel_size: {kernel} stride: {stride} pad: {pad} }}"))
        return self.x

    def join(self, parts):
        self.channels = sum(channels for _, channels in parts)
        self.x = self.net.layer("Concat", [x for x, _ in parts], [f"x{len(self.net.layers)}"])

    def finish(self):
        self.net.layer("Softmax", [self.x], ["prob"])
        return self.net


def caffe_mobilenet():
    c = CaffeNet(224)
    c.conv(32, 3, 2, 1)
    for outputs, stride in MOBILENET:
        c.conv(c.channels, 3, stride, 1, group=c.channels)
        c.conv(outputs)
    c.pool("AVE", 7, 1)
    c.conv(1000, relu=False)
    return c.finish()


def squeezenet():
    c = CaffeNet(227)
    c.conv(64, 3, 2)
    c.pool("MAX", 3, 2)
    for i, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        x = c.conv(squeeze)
        c.join([(c.conv(squeeze * 4, x=x, inputs=squeeze), squeeze * 4),
                (c.conv(squeeze * 4, 3, 1, 1, x=x, inputs=squeeze), squeeze * 4)])
        if i in (1, 3):
            c.pool("MAX", 3, 2)
    c.conv(1000)
    c.pool("AVE", 14, 1)
    return c.finish()


INCEPTION = [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (192, 96, 208, 16, 48, 64),
             (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
             (256, 160, 320, 32, 128, 128), (256, 160, 320, 32, 128, 128),
             (384, 192, 384, 48, 128, 128)]


def googlenet():
    c = CaffeNet(224)
    lrn = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
    c.conv(64, 7, 2, 3)
    c.pool("MAX", 3, 2)
    c.x = c.net.layer("LRN", [c.x], ["norm1"], lrn)
    c.conv(64)
    c.conv(192, 3, 1, 1)
    c.x = c.net.layer("LRN", [c.x], ["norm2"], lrn)
    c.pool("MAX", 3, 2)
    for i, (one, before3, three, before5, five, pooled) in enumerate(INCEPTION):
        x, inputs = c.x, c.channels
        parts = [(c.conv(one, x=x, inputs=inputs), one)]
        c.conv(before3, x=x, inputs=inputs)
        parts.append((c.conv(three, 3, 1, 1), three))
        c.conv(before5, x=x, inputs=inputs)
        parts.append((c.conv(five, 5, 1, 2), five))
        c.pool("MAX", 3, 1, 1, x=x)
        parts.append((c.conv(pooled, inputs=inputs), pooled))
        c.join(parts)
        if i in (1, 6):
            c.pool("MAX", 3, 2)
    c.pool("AVE", 7, 1)
    c.conv(1000, relu=False)
    return c.finish()


def write_all(folder):
    """Paths by name: TensorFlow Lite files and folders of Caffe."""
    made = {"tflite": {}, "caffe": {}}
    for name, half in (("mobilenet-v1-224-float", False), ("mobilenet-v1-224-half", True)):
        made["tflite"][name] = os.path.join(folder, name + ".tflite")
        with open(made["tflite"][name], "wb") as file:
            file.write(tflite_mobilenet(half))
    for name, make in (("mobilenet-v1-224", caffe_mobilenet), ("squeezenet-1.1", squeezenet),
                       ("googlenet", googlenet)):
        path = made["caffe"][name] = os.path.join(folder, name)
        os.makedirs(path, exist_ok=True)
        net = make()
        with open(os.path.join(path, "net.prototxt"), "w", encoding="utf-8") as file:
            file.write(net.text())
        with open(os.path.join(path, "net.caffemodel"), "wb") as file:
            file.write(net.weights())
    return made
