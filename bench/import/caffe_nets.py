"""Nets for Caffe with random weights: MobileNet, SqueezeNet 1.1, a GoogLeNet, ResNet-50, DenseNet-121,
ShuffleNet and an ENet."""

import numpy as np

from common import MOBILENET_V1  # first: where the next one is found
from caffe_writer import Net  # pylint: disable=wrong-import-order

INCEPTION = [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (192, 96, 208, 16, 48, 64),
             (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
             (256, 160, 320, 32, 128, 128), (256, 160, 320, 32, 128, 128),
             (384, 192, 384, 48, 128, 128)]


class CaffeNet:
    """A net under construction; `x` is the blob that the next layer reads."""

    def __init__(self, size):
        self.n, self.net = np.random.RandomState(1), Net()
        self.x, self.channels = self.net.input("data", [1, 3, size, size]), 3

    def layer(self, kind, params="", blobs=(), x=None):
        bottoms = x if isinstance(x, list) else [x or self.x]
        self.x = self.net.layer(kind, bottoms, [f"x{len(self.net.layers)}"], params, blobs)
        return self.x

    def in_place(self, kind, params="", blobs=()):
        self.net.layer(kind, [self.x], [self.x], params, blobs)

    def conv(self, outputs, kernel=1, stride=1, pad=0, group=1, relu=True, x=None, inputs=None,
             bias=True, dilation=1, shape=None):
        """`shape`: height and width of kernel and pads, where they differ."""
        inputs = inputs or self.channels
        high, wide, pad_h, pad_w = shape or (kernel, kernel, pad, pad)
        w = self.n.randn(outputs, inputs // group, high, wide)
        w *= np.sqrt(2 * group / (inputs * high * wide))
        params = (f"num_output: {outputs} kernel_h: {high} kernel_w: {wide} stride: {stride} "
                  f"pad_h: {pad_h} pad_w: {pad_w} group: {group} dilation: {dilation} ")
        blobs = [w.astype(np.float32)]
        if bias:
            blobs.append(np.full(outputs, 0.1, np.float32))
        else:
            params += "bias_term: false "
        self.layer("Convolution", f"convolution_param {{ {params}}}", blobs, x)
        if relu:
            self.in_place("ReLU")
        self.channels = outputs
        return self.x

    def deconv(self, outputs, kernel, stride):
        w = self.n.randn(self.channels, outputs, kernel, kernel) / np.sqrt(self.channels * kernel)
        self.layer("Deconvolution", (
            f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} stride: {stride} }}"),
                   [w.astype(np.float32), np.full(outputs, 0.1, np.float32)])
        self.channels = outputs
        return self.x

    def norm(self, relu=True, in_place=True):
        """BatchNorm and Scale."""
        def ones(value):
            return np.full(self.channels, value, np.float32)
        (self.in_place if in_place else self.layer)(
            "BatchNorm", "batch_norm_param { use_global_stats: true }",
            [ones(0.1), ones(0.9), np.ones(1, np.float32)])
        self.in_place("Scale", "scale_param { bias_term: true }", [ones(1.1), ones(0.1)])
        if relu:
            self.in_place("ReLU")

    def conv_norm(self, outputs, kernel=1, stride=1, pad=0, group=1, relu=True, **more):
        self.conv(outputs, kernel, stride, pad, group, False, bias=False, **more)
        self.norm(relu)
        return self.x

    def prelu(self):
        self.in_place("PReLU", "", [np.full(self.channels, 0.25, np.float32)])

    def pool(self, kind, kernel, stride, pad=0, x=None):
        return self.layer("Pooling", (
            f"pooling_param {{ pool: {kind} kernel_size: {kernel} stride: {stride} pad: {pad} }}"),
                          (), x)

    def global_pool(self):
        return self.layer("Pooling", "pooling_param { pool: AVE global_pooling: true }")

    def join(self, parts):
        self.channels = sum(channels for _, channels in parts)
        return self.layer("Concat", x=[x for x, _ in parts])

    def add(self, a, b, relu=True):
        self.layer("Eltwise", "eltwise_param { operation: SUM }", (), [a, b])
        if relu:
            self.in_place("ReLU")

    def shuffle(self, groups, size):
        """ShuffleChannel, by layers that OpenCV has too."""
        each = self.channels // groups
        self.layer("Reshape", f"reshape_param {{ shape {{ dim: 0 dim: {groups} dim: {each} dim: -1 }} }}")
        self.layer("Permute", "permute_param { order: 0 order: 2 order: 1 order: 3 }")
        self.layer("Reshape", (
            f"reshape_param {{ shape {{ dim: 0 dim: {self.channels} dim: {size} dim: {size} }} }}"))

    def finish(self):
        self.net.layer("Softmax", [self.x], ["prob"])
        return self.net


def mobilenet():
    c = CaffeNet(224)
    c.conv(32, 3, 2, 1)
    for outputs, stride in MOBILENET_V1:
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


def googlenet():
    c = CaffeNet(224)
    lrn = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
    c.conv(64, 7, 2, 3)
    c.pool("MAX", 3, 2)
    c.layer("LRN", lrn)
    c.conv(64)
    c.conv(192, 3, 1, 1)
    c.layer("LRN", lrn)
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


def resnet50():
    c = CaffeNet(224)
    c.conv_norm(64, 7, 2, 3)
    c.pool("MAX", 3, 2)
    for stage, times in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        for i in range(times):
            stride = 2 if i == 0 and stage > 0 else 1
            x, inputs = c.x, c.channels
            c.conv_norm(width, 1, stride)
            c.conv_norm(width, 3, 1, 1)
            y = c.conv_norm(width * 4, relu=False)
            if i == 0:
                x = c.conv_norm(width * 4, 1, stride, relu=False, x=x, inputs=inputs)
            c.add(x, y)
    c.pool("AVE", 7, 1)
    c.conv(1000, relu=False)
    return c.finish()


def densenet121():
    """Norms stand before convolutions, over joined features: none of them is part of a convolution."""
    c = CaffeNet(224)
    c.conv_norm(64, 7, 2, 3)
    c.pool("MAX", 3, 2, 1)
    for block, times in enumerate((6, 12, 24, 16)):
        for _ in range(times):
            x, inputs = c.x, c.channels
            c.norm(in_place=False)
            c.conv_norm(128)
            y = c.conv(32, 3, 1, 1, relu=False, bias=False)
            c.join([(x, inputs), (y, 32)])
        c.norm(in_place=False)
        if block < 3:
            c.conv(c.channels // 2, relu=False, bias=False)
            c.pool("AVE", 2, 2)
    c.global_pool()
    c.conv(1000, relu=False)
    return c.finish()


def shufflenet():
    """ShuffleNet 1x in three groups."""
    c = CaffeNet(224)
    c.conv_norm(24, 3, 2, 1)
    c.pool("MAX", 3, 2)
    for stage, (outputs, times) in enumerate(((240, 4), (480, 8), (960, 4))):
        for i in range(times):
            x, inputs = c.x, c.channels
            inside = (outputs - inputs if i == 0 and stage == 0 else outputs) // 4
            c.conv_norm(inside, group=1 if i == 0 and stage == 0 else 3)
            c.shuffle(3, 56 >> stage if i == 0 else 28 >> stage)
            c.conv_norm(inside, 3, 2 if i == 0 else 1, 1, group=inside, relu=False)
            left = outputs - inputs if i == 0 else outputs
            y = c.conv_norm(left, group=3, relu=False)
            if i == 0:
                c.join([(c.pool("AVE", 3, 2, x=x), inputs), (y, left)])
                c.in_place("ReLU")
            else:
                c.add(x, y)
    c.global_pool()
    c.conv(1000, relu=False)
    return c.finish()


def enet_bottleneck(c, outputs, stride=1, **middle):
    """A bottleneck with its own way past it; `middle` is the convolution inside, (5, 1) and (1, 5) for
    `asymmetric`."""
    x, inputs = c.x, c.channels
    asymmetric = middle.pop("asymmetric", False)
    c.conv_norm(outputs // 4, 2 if stride == 2 else 1, stride, relu=False)
    c.prelu()
    if asymmetric:
        c.conv(outputs // 4, shape=(5, 1, 2, 0), relu=False, bias=False)
        c.conv_norm(outputs // 4, shape=(1, 5, 0, 2), relu=False)
    else:
        dilation = middle.get("dilation", 1)
        c.conv_norm(outputs // 4, 3, 1, dilation, dilation=dilation, relu=False)
    c.prelu()
    y = c.conv_norm(outputs, relu=False)
    if stride == 2:
        c.channels = inputs
        c.pool("MAX", 2, 2, x=x)
        x = c.conv_norm(outputs, relu=False)
    c.add(x, y, relu=False)
    c.channels = outputs
    c.prelu()


def enet():
    """An ENet for pictures of 256: PReLU, dilated and long kernels, transposed convolutions."""
    c = CaffeNet(256)
    parts = [(c.conv(13, 3, 2, 1, relu=False), 13), (c.pool("MAX", 2, 2, x="data"), 3)]
    c.join(parts)
    c.norm(relu=False)
    c.prelu()
    enet_bottleneck(c, 64, 2)
    for _ in range(4):
        enet_bottleneck(c, 64)
    enet_bottleneck(c, 128, 2)
    for _ in range(2):
        for middle in ({}, {"dilation": 2}, {"asymmetric": True}, {"dilation": 4}, {},
                       {"dilation": 8}, {"asymmetric": True}, {"dilation": 16}):
            enet_bottleneck(c, 128, **middle)
    for outputs in (64, 16):
        c.deconv(outputs, 2, 2)
        c.norm(relu=False)
        c.prelu()
        enet_bottleneck(c, outputs)
    c.deconv(12, 2, 2)
    return c.finish()


ALL = {"mobilenet-v1-224": mobilenet, "squeezenet-1.1": squeezenet, "googlenet": googlenet,
       "resnet-50": resnet50, "densenet-121": densenet121, "shufflenet-1x-g3": shufflenet,
       "enet-256": enet}
