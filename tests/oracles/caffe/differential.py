#!/usr/bin/env python3
"""Random small Caffe nets through Supernova and through OpenCV's dnn, compared number by number.

usage: differential.py [--count N] [--seed S] [--only FAMILY]... [--keep DIR] [-v]

A net that either side refuses is counted; numbers that differ are errors. OpenCV is not Caffe: where
the two differ Caffe's own definition is the right one, and the generator keeps away from there (each
place is noted below). Run it through tests/oracles/caffe/run, which looks for OpenCV.
"""

import argparse
import collections
import concurrent.futures
import glob
import os
import random
import re
import subprocess
import sys
import tempfile

import cv2
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from caffe_writer import Net  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
BINARY = os.environ.get("SUPERNOVA", os.path.join(ROOT, "build", "release", "bin", "supernova"))


class Case:
    """One net while it is made: random choices and the shapes so far."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = np.random.RandomState(seed)
        self.net = Net()

    def weights(self, *shape):
        return (self.n.randn(*shape) * 0.5).astype(np.float32)

    def image(self, name="data", low=3, high=14, channels=None, batch=None):
        shape = [batch or self.r.choice([1, 1, 1, 2, 3]), channels or self.r.randint(1, 8),
                 self.r.randint(low, high), self.r.randint(low, high)]
        return self.net.input(name, shape), shape


def pair(c, name, flat, low, high):
    """A size per axis in one of Caffe's ways of writing it."""
    h, w = c.r.randint(low, high), c.r.randint(low, high)
    if c.r.random() < 0.5:
        return (h, h), f"{flat}: {h} "
    return (h, w), f"{name}_h: {h} {name}_w: {w} "


def window(c, shape, dilated):
    k, text = pair(c, "kernel", "kernel_size", 1, min(5, shape[2], shape[3]))
    s, more = pair(c, "stride", "stride", 1, 3)
    text += more
    p, more = pair(c, "pad", "pad", 0, min(k) - 1 if min(k) > 1 else 0)
    text += more
    if dilated and c.r.random() < 0.3:
        text += "dilation: 2 "
        k = tuple(2 * (x - 1) + 1 for x in k)
    return k, s, p, text


def divisor(c, *numbers):
    return c.r.choice([g for g in range(1, min(numbers) + 1) if all(n % g == 0 for n in numbers)])


def conv(c, x=None, shape=None):
    if x is None:
        x, shape = c.image()
    k, _, p, text = window(c, shape, True)
    if k[0] > shape[2] + 2 * p[0] or k[1] > shape[3] + 2 * p[1]:
        text = "kernel_size: 1 "
        k = (1, 1)
    out = c.r.randint(1, 4) * c.r.choice([1, 2])
    group = divisor(c, shape[1], out)
    plain = [(d - 1) // 2 + 1 if "dilation" in text else d for d in k]
    blobs = [c.weights(out, shape[1] // group, *plain)]
    bias = c.r.random() < 0.7
    if bias:
        blobs.append(c.weights(out))
    text += f"num_output: {out} group: {group} " + ("" if bias else "bias_term: false")
    return c.net.layer("Convolution", [x], ["conv"], f"convolution_param {{ {text} }}", blobs)


def deconv(c):
    x, shape = c.image(low=2, high=6)
    k, text = pair(c, "kernel", "kernel_size", 1, 4)
    s, more = pair(c, "stride", "stride", 1, 3)
    text += more
    # OpenCV refuses a stride above the kernel.
    if s[0] > k[0] or s[1] > k[1]:
        text = "kernel_size: 4 stride: 2 "
        k = (4, 4)
    if c.r.random() < 0.4:
        text += f"pad: {c.r.randint(0, min(k) // 2)} "
    out = c.r.randint(1, 6)
    group = divisor(c, shape[1], out)
    blobs = [c.weights(shape[1], out // group, *k), c.weights(out)]
    return c.net.layer("Deconvolution", [x], ["deconv"],
                       f"convolution_param {{ num_output: {out} group: {group} {text} }}", blobs)


def depthwise(c):
    x, shape = c.image(low=4)
    text = f"num_output: {shape[1]} kernel_size: 3 pad: 1 stride: {c.r.randint(1, 2)}"
    return c.net.layer("ConvolutionDepthwise", [x], ["y"],
                       f"convolution_param {{ {text} group: {shape[1]} bias_term: false }}",
                       [c.weights(shape[1], 1, 3, 3)])


def pool(c, x=None, shape=None):
    if x is None:
        x, shape = c.image()
    kind = c.r.choice(["MAX", "AVE"])
    if c.r.random() < 0.15:
        text = "global_pooling: true"
    else:
        k, s, _, text = window(c, shape, False)
        # A stride above the kernel may leave the last window empty.
        if s[0] > k[0] or s[1] > k[1]:
            text = f"kernel_size: {min(3, shape[2], shape[3])} stride: 2"
    return c.net.layer("Pooling", [x], ["pool"], f"pooling_param {{ pool: {kind} {text} }}")


def inner_product(c, x=None, shape=None):
    if x is None:
        x, shape = c.image(low=1, high=5)
    out = c.r.randint(1, 9)
    blobs = [c.weights(out, int(np.prod(shape[1:]))), c.weights(out)]
    bias = c.r.random() < 0.7
    text = f"num_output: {out}" + ("" if bias else " bias_term: false")
    return c.net.layer("InnerProduct", [x], ["ip"], f"inner_product_param {{ {text} }}",
                       blobs[: 1 + bias])


def activation(c):
    x, shape = c.image()
    f = lambda low, high: round(c.r.uniform(low, high), 3)  # noqa: E731
    kind, params, blobs = c.r.choice([
        ("ReLU", "", []), ("ReLU", f"relu_param {{ negative_slope: {f(0, 0.5)} }}", []),
        ("PReLU", "", [c.weights(shape[1])]),
        ("PReLU", "prelu_param { channel_shared: true }", [c.weights(1)]),
        ("ELU", f"elu_param {{ alpha: {f(0.2, 2)} }}", []), ("Sigmoid", "", []), ("TanH", "", []),
        ("AbsVal", "", []), ("BNLL", "", []), ("ReLU6", "", []),
        ("Power", f"power_param {{ scale: {f(-2, 2)} shift: {f(-2, 2)} }}", []),
        ("Power", f"power_param {{ power: 2 scale: {f(-2, 2)} shift: {f(-2, 2)} }}", []),
        ("Power", f"power_param {{ power: 3 scale: {f(-2, 2)} shift: {f(-2, 2)} }}", []),
        ("Exp", f"exp_param {{ scale: {f(-1, 1)} shift: {f(-1, 1)} }}", []),
        ("Exp", f"exp_param {{ base: {f(0.5, 3)} scale: {f(-1, 1)} shift: {f(-1, 1)} }}", [])])
    top = x if False else "act"
    return c.net.layer(kind, [x], [top], params, blobs)


def in_place(c):
    conv(c)
    out = c.net.layers[-1][5][0].shape[0]
    for _ in range(c.r.randint(1, 3)):
        kind, blobs = c.r.choice([("ReLU", []), ("TanH", []), ("Sigmoid", []),
                                  ("PReLU", [c.weights(out)]), ("Dropout", [])])
        c.net.layer(kind, ["conv"], ["conv"], "", blobs)


def softmax(c):
    x, shape = c.image()
    if c.r.random() < 0.5:
        return c.net.layer("Softmax", [x], ["prob"])
    axis = c.r.choice([1, 2, 3, -1])
    return c.net.layer("Softmax", [x], ["prob"], f"softmax_param {{ axis: {axis} }}")


def lrn(c):
    # OpenCV does not read k.
    x, _ = c.image(low=5)
    size = c.r.choice([3, 5])
    region = c.r.choice(["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
    return c.net.layer("LRN", [x], ["norm"], (
        f"lrn_param {{ local_size: {size} alpha: {round(c.r.uniform(0.001, 1), 4)} "
        f"beta: {c.r.choice([0.5, 0.75, 1.0])} norm_region: {region} }}"))


def batch_norm(c, x=None, shape=None):
    if x is None:
        x, shape = c.image()
    channels = shape[1]
    total = np.array([c.r.choice([1.0, 999.98, 3.0])], np.float32)
    blobs = [c.weights(channels) * total[0],
             np.abs(c.weights(channels) + 1.5).astype(np.float32) * total[0], total]
    x = c.net.layer("BatchNorm", [x], ["bn"], c.r.choice(
        ["batch_norm_param { use_global_stats: true }", "", "batch_norm_param { eps: 0.001 }"]), blobs)
    if c.r.random() < 0.7:
        bias = c.r.random() < 0.7
        x = c.net.layer("Scale", [x], [c.r.choice(["bn", "scale"])],
                        f"scale_param {{ bias_term: {'true' if bias else 'false'} }}",
                        [c.weights(channels), c.weights(channels)][: 1 + bias])
    return x


def scale(c):
    x, shape = c.image()
    axis = c.r.choice([1, 1, 1, 2, 3])
    bias = c.r.random() < 0.5
    return c.net.layer("Scale", [x], ["scale"],
                       f"scale_param {{ axis: {axis} bias_term: {'true' if bias else 'false'} }}",
                       [c.weights(shape[axis]), c.weights(shape[axis])][: 1 + bias])


def scale_two(c):
    x, shape = c.image(batch=1)
    y = c.net.input("factor", [shape[0], shape[1]])
    return c.net.layer("Scale", [x, y], ["scale"], "scale_param { axis: 0 }")


def mvn(c):
    # OpenCV puts eps inside of the root; with an eps this small the numbers agree.
    x, _ = c.image(low=4)
    flags = [f"{n}: {c.r.choice(['true', 'false'])}" for n in ("normalize_variance", "across_channels")]
    return c.net.layer("MVN", [x], ["mvn"], f"mvn_param {{ {' '.join(flags)} }}")


def eltwise(c):
    shape = [c.r.randint(1, 3), c.r.randint(1, 6), c.r.randint(2, 8), c.r.randint(2, 8)]
    count = c.r.randint(2, 4)
    names = [c.net.input(f"in{i}", shape) for i in range(count)]
    op = c.r.choice(["PROD", "SUM", "MAX", "COEFF"])
    coeffs = " ".join(f"coeff: {c.r.choice([1, -1, 0.5, round(c.r.uniform(-2, 2), 2)])}" for _ in names)
    text = f"operation: SUM {coeffs}" if op == "COEFF" else f"operation: {op}"
    return c.net.layer("Eltwise", names, ["sum"], f"eltwise_param {{ {text} }}")


def concat(c):
    shape = [c.r.randint(1, 3), c.r.randint(1, 6), c.r.randint(2, 8), c.r.randint(2, 8)]
    axis = c.r.choice([1, 1, 2, 3])
    names = []
    for i in range(c.r.randint(2, 4)):
        own = list(shape)
        own[axis] = c.r.randint(1, 5)
        names.append(c.net.input(f"in{i}", own))
    text = "" if axis == 1 else f"concat_param {{ axis: {axis} }}"
    return c.net.layer("Concat", names, ["all"], text)


def slice_(c):
    x, shape = c.image(channels=c.r.choice([4, 6, 8]))
    parts = c.r.choice([2, shape[1] // 2])
    if shape[1] % parts == 0 and c.r.random() < 0.5:
        tops = [f"part{i}" for i in range(parts)]
        c.net.layer("Slice", [x], tops)
    else:
        tops = ["a", "b", "c"]
        text = " ".join(f"slice_point: {p}" for p in sorted(c.r.sample(range(1, shape[1]), 2)))
        c.net.layer("Slice", [x], tops, f"slice_param {{ axis: 1 {text} }}")
    for top in tops:  # OpenCV counts who reads the parts
        c.net.layer("AbsVal", [top], ["abs_" + top])


def flatten(c):
    x, _ = c.image()
    axis = c.r.choice([1, 1, 2])
    end = c.r.choice(["", f" end_axis: {c.r.randint(axis, 3)}"])
    return c.net.layer("Flatten", [x], ["flat"], f"flatten_param {{ axis: {axis}{end} }}")


def reshape(c):
    x, shape = c.image(channels=c.r.choice([2, 4, 6]))
    dims, more = c.r.choice([
        ([0, -1], ""), ([0, shape[1] // 2, -1], ""), ([0, 0, -1], ""), ([0, -1, shape[3]], ""),
        ([0, shape[1] * shape[2], 0 if False else shape[3]], ""), ([-1, shape[1]], ""),
        ([-1], "axis: 1"), ([shape[2] * shape[3]], "axis: 2"), ([1, -1], "axis: 1 num_axes: 2"),
        ([shape[0], -1, 2], "")])
    text = " ".join(f"dim: {d}" for d in dims)
    return c.net.layer("Reshape", [x], ["y"], f"reshape_param {{ shape {{ {text} }} {more} }}")


def permute(c):
    x, _ = c.image()
    order = c.r.choice([[0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [0, 2, 1, 3]])
    text = " ".join(f"order: {o}" for o in order)
    return c.net.layer("Permute", [x], ["y"], f"permute_param {{ {text} }}")


def crop(c):
    x, shape = c.image(low=6)
    like = c.net.input("like", [shape[0], c.r.randint(1, 4), c.r.randint(2, shape[2] - 2),
                                c.r.randint(2, shape[3] - 2)])
    offset = c.r.choice(["offset: 1", "offset: 2 offset: 1", "offset: 0"])
    return c.net.layer("Crop", [x, like], ["y"], f"crop_param {{ axis: 2 {offset} }}")


def normalize(c):
    x, shape = c.image()
    # across_spatial: OpenCV puts no eps below the root there; it is far below the numbers' own size.
    across = c.r.choice(["true", "false"])
    shared = c.r.choice([True, False])
    return c.net.layer("Normalize", [x], ["y"],
                       f"norm_param {{ across_spatial: {across} channel_shared: "
                       f"{'true' if shared else 'false'} }}", [c.weights(1 if shared else shape[1])])


def prior_text(c):
    low = c.r.randint(8, 30)
    text = f"min_size: {low} "
    if c.r.random() < 0.7:
        text += f"max_size: {low + c.r.randint(5, 30)} "
    for ratio in c.r.sample([2, 3, 0.5, 1.5], c.r.randint(0, 3)):
        text += f"aspect_ratio: {ratio} "
    text += f"flip: {c.r.choice(['true', 'false'])} clip: {c.r.choice(['true', 'false'])} "
    if c.r.random() < 0.7:
        text += "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 "
    else:
        text += "variance: 0.1 "
    if c.r.random() < 0.4:
        text += f"step: {c.r.choice([8, 16])} "
    if c.r.random() < 0.4:
        text += f"offset: {c.r.choice([0.5, 0.0, 0.4])} "
    return text


def prior_box(c):
    x, _ = c.image(low=1, high=5, batch=1)
    image = c.net.input("image", [1, 3, c.r.randint(40, 80), c.r.randint(40, 80)])
    return c.net.layer("PriorBox", [x, image], ["prior"], f"prior_box_param {{ {prior_text(c)} }}")


def detection(c):
    classes = c.r.randint(2, 4)
    h, w = c.r.randint(1, 4), c.r.randint(1, 4)
    batch = c.r.choice([1, 1, 2])
    x = c.net.input("data", [batch, 3, h, w])
    image = c.net.input("image", [batch, 3, 64, 64])
    ratios = c.r.choice([[], [2]])
    text = "min_size: 20 max_size: 35 " + "".join(f"aspect_ratio: {r} " for r in ratios)
    per_place = 2 + 2 * len(ratios)
    c.net.layer("PriorBox", [x, image], ["prior"],
                f"prior_box_param {{ {text} flip: true clip: false variance: 0.1 variance: 0.1 "
                "variance: 0.2 variance: 0.2 }")
    shared = c.r.random() < 0.7
    groups = 1 if shared else classes
    priors = h * w * per_place
    loc = c.net.input("loc", [batch, priors * groups * 4])
    conf = c.net.input("conf", [batch, priors * classes])
    background = c.r.choice([0, 0, classes - 1])
    code = c.r.choice(["CENTER_SIZE", "CENTER_SIZE", "CORNER"])
    keep = c.r.choice([5, 20, 200])
    top = c.r.choice([3, 400])
    return c.net.layer("DetectionOutput", [loc, conf, "prior"], ["found"], (
        f"detection_output_param {{ num_classes: {classes} share_location: "
        f"{'true' if shared else 'false'} background_label_id: {background} code_type: {code} "
        f"nms_param {{ nms_threshold: {c.r.choice([0.3, 0.45])} top_k: {top} }} "
        f"keep_top_k: {keep} confidence_threshold: {c.r.choice([0.1, 0.4])} }}"))


def interp(c):
    x, _ = c.image(low=2, high=7)
    text = c.r.choice([f"height: {c.r.randint(2, 15)} width: {c.r.randint(2, 15)}",
                       f"zoom_factor: {c.r.randint(2, 4)}", "shrink_factor: 2"])
    return c.net.layer("Interp", [x], ["y"], f"interp_param {{ {text} }}")


def shuffle(c):
    x, _ = c.image(channels=c.r.choice([4, 6, 8]))
    return c.net.layer("ShuffleChannel", [x], ["y"], "shuffle_channel_param { group: 2 }")


def reduction(c):
    x, _ = c.image()
    op = c.r.choice(["SUM", "MEAN", "ASUM", "SUMSQ"])
    return c.net.layer("Reduction", [x], ["y"],
                       f"reduction_param {{ operation: {op} axis: {c.r.randint(1, 3)} }}")


def arg_max(c):
    x, _ = c.image()
    return c.net.layer("ArgMax", [x], ["y"], "argmax_param { axis: 1 }")


def tile(c):
    x, _ = c.image()
    return c.net.layer("Tile", [x], ["y"], f"tile_param {{ axis: {c.r.choice([1, 2])} tiles: 2 }}")


def unpool(c):
    x, shape = c.image(low=4, high=10, batch=1)
    x = c.net.layer("Pooling", [x], ["pool", "mask"],
                "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
    return c.net.layer("Upsample", ["pool", "mask"], ["y"],
                       f"upsample_param {{ scale: 2 upsample_h: {shape[2]} upsample_w: {shape[3]} }}")


def roi_pool(c):
    x, shape = c.image(low=6, high=12, batch=1)
    c.net.input("rois", [c.r.randint(1, 4), 5])
    return c.net.layer("ROIPooling", [x, "rois"], ["y"],
                       f"roi_pooling_param {{ pooled_h: 2 pooled_w: {c.r.randint(1, 3)} "
                       f"spatial_scale: 0.5 }}")


def reorg(c):
    stride = c.r.randint(2, 3)
    shape = [c.r.choice([1, 1, 2]), stride * stride * c.r.randint(1, 3), stride * c.r.randint(1, 4),
             stride * c.r.randint(1, 4)]
    x = c.net.input("data", shape)
    more = c.r.choice(["", "", "reverse: true"])
    return c.net.layer("Reorg", [x], ["y"], f"reorg_param {{ stride: {stride} {more} }}")


def proposal(c):
    """OpenCV drops boxes of score 0 but none below min_size, and fills up with rows of zero."""
    ratios = c.r.sample([0.5, 1, 2], c.r.randint(1, 3))
    scales = c.r.sample([1, 2, 4], c.r.randint(1, 3))
    h, w, anchors = c.r.randint(1, 6), c.r.randint(1, 6), len(ratios) * len(scales)
    bottoms = [c.net.input("scores", [1, 2 * anchors, h, w]),
               c.net.input("deltas", [1, 4 * anchors, h, w]), c.net.input("info", [1, 3])]
    text = "".join(f"ratio: {r} " for r in ratios) + "".join(f"scale: {s} " for s in scales)
    return c.net.layer("Proposal", bottoms, ["rois"], (
        f"proposal_param {{ feat_stride: {c.r.choice([8, 16])} base_size: {c.r.choice([8, 16])} "
        f"min_size: 0 pre_nms_topn: {c.r.choice([10, 6000])} post_nms_topn: {c.r.choice([5, 300])} "
        f"nms_thresh: {c.r.choice([0.5, 0.7])} {text}}}"))


def chain(c):
    """Several layers, as nets have them: two branches that meet again."""
    x, shape = c.image(low=8)
    out = c.r.choice([2, 4])

    def block(x, channels, name):
        k = c.r.choice([1, 3])
        x = c.net.layer("Convolution", [x], [name],
                        f"convolution_param {{ num_output: {out} kernel_size: {k} pad: {k // 2} }}",
                        [c.weights(out, channels, k, k), c.weights(out)], name=name)
        if c.r.random() < 0.5:
            stats = [c.weights(out), np.abs(c.weights(out)) + 0.5, np.ones(1, np.float32)]
            c.net.layer("BatchNorm", [x], [x], "", stats)
            c.net.layer("Scale", [x], [x], "scale_param { bias_term: true }",
                        [c.weights(out), c.weights(out)])
        c.net.layer("ReLU", [x], [x])
        return x

    a = block(x, shape[1], "a")
    a = block(a, out, "a2")
    b = block(x, shape[1], "b")
    x = c.r.choice([lambda: c.net.layer("Eltwise", [a, b], ["sum"]),
                    lambda: c.net.layer("Concat", [a, b], ["sum"])])()
    channels = out if c.net.layers[-1][1] == "Eltwise" else 2 * out
    if c.r.random() < 0.5:
        pool(c, x, [shape[0], channels, shape[2], shape[3]])
        x = "pool"
    if c.r.random() < 0.5:
        c.net.layer("Pooling", [x], ["gap"], "pooling_param { pool: AVE global_pooling: true }")
        c.net.layer("InnerProduct", ["gap"], ["fc"], "inner_product_param { num_output: 5 }",
                    [c.weights(5, channels), c.weights(5)])
        c.net.layer("Softmax", ["fc"], ["prob"])


FAMILIES = {
    "convolution": (conv, 6), "deconvolution": (deconv, 3), "depthwise": (depthwise, 2),
    "pooling": (pool, 8), "inner_product": (inner_product, 2), "activation": (activation, 6),
    "in_place": (in_place, 2), "softmax": (softmax, 2), "lrn": (lrn, 3),
    "batch_norm": (batch_norm, 3), "scale": (scale, 2), "scale_two": (scale_two, 1),
    "mvn": (mvn, 2), "eltwise": (eltwise, 3), "concat": (concat, 2), "slice": (slice_, 2),
    "flatten": (flatten, 2), "reshape": (reshape, 3), "permute": (permute, 1), "crop": (crop, 1),
    "normalize": (normalize, 2), "prior_box": (prior_box, 3), "detection": (detection, 5),
    "interp": (interp, 2), "shuffle": (shuffle, 1), "reduction": (reduction, 1),
    "arg_max": (arg_max, 1), "tile": (tile, 1), "unpool": (unpool, 1), "roi_pool": (roi_pool, 1),
    "reorg": (reorg, 1), "proposal": (proposal, 2), "chain": (chain, 6)}


def inputs_of(case, family):
    """Numbers that suit the layers."""
    out = {}
    for name, shape in case.net.inputs:
        data = case.n.randn(*shape).astype(np.float32)
        if family == "detection" and name == "conf":
            data = case.n.uniform(0, 1, shape).astype(np.float32)
        if name == "rois":
            low = case.n.randint(0, 8, (shape[0], 2))
            high = low + case.n.randint(1, 12, (shape[0], 2))
            data = np.concatenate([np.zeros((shape[0], 1)), low, high], 1).astype(np.float32)
        if family == "proposal" and name == "scores":
            data = (case.n.permutation(data.size).reshape(shape).astype(np.float32) + 1) / data.size
        if name == "info":
            data = np.asarray([[case.n.randint(40, 99), case.n.randint(40, 99), 1]], np.float32)
        out[name] = data
    return out


def run_oracle(folder, inputs, outputs):
    net = cv2.dnn.readNetFromCaffe(os.path.join(folder, "net.prototxt"),
                                   os.path.join(folder, "net.caffemodel"))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    for name, data in inputs.items():
        net.setInput(data, name)
    # OpenCV asks for layers, not for blobs.
    names = net.getLayerNames()
    return {blob: net.forwardAndRetrieve([layer if layer in names else blob])[0][index]
            for blob, (layer, index) in outputs.items()}


# Layers that OpenCV 4.6 does not have, by Caffe's definition.
def ref_reduction(case, data):
    text = case.net.layers[0][4]
    flat = data.reshape(data.shape[:int(re.search(r"axis: (\d)", text)[1])] + (-1,))
    how = {"SUM": lambda x: x.sum(-1), "MEAN": lambda x: x.mean(-1),
           "ASUM": lambda x: np.abs(x).sum(-1), "SUMSQ": lambda x: (x * x).sum(-1)}
    return {"y": how[re.search(r"operation: (\w+)", text)[1]](flat)}


def ref_arg_max(_, data):
    return {"y": np.argmax(data, 1, keepdims=True).astype(np.float32)}


def ref_tile(case, data):
    axis = int(re.search(r"axis: (\d)", case.net.layers[0][4])[1])
    return {"y": np.concatenate([data, data], axis)}


def ref_shuffle(_, data):
    n, c, h, w = data.shape
    return {"y": data.reshape(n, 2, c // 2, h, w).transpose(0, 2, 1, 3, 4).reshape(data.shape)}


def ref_interp(case, data):
    text = case.net.layers[0][4]
    h, w = data.shape[2:]
    if "zoom" in text:
        zoom = int(re.search(r"zoom_factor: (\d+)", text)[1])
        out = [s + (s - 1) * (zoom - 1) for s in (h, w)]
    elif "shrink" in text:
        out = [(s - 1) // 2 + 1 for s in (h, w)]
    else:
        out = [int(re.search(name + r": (\d+)", text)[1]) for name in ("height", "width")]
    for axis, size in ((2, out[0]), (3, out[1])):
        old = data.shape[axis]
        at = np.arange(size) * ((old - 1) / (size - 1) if size > 1 else 0.0)
        low = np.minimum(at.astype(int), old - 1)
        high = np.minimum(low + 1, old - 1)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(4)])
        data = np.take(data, low, axis) * (1 - part) + np.take(data, high, axis) * part
    return {"y": data}


def ref_unpool(_, data):
    out = np.zeros_like(data)
    n, c, h, w = data.shape
    for i, j in np.ndindex(n, c):
        for y in range(0, h, 2):
            for x in range(0, w, 2):
                block = data[i, j, y:y + 2, x:x + 2]
                at = np.unravel_index(block.argmax(), block.shape)
                out[i, j, y + at[0], x + at[1]] = block.max()
    return {"y": out}


def ref_reorg(case, data):
    text = case.net.layers[0][4]
    s = int(re.search(r"stride: (\d)", text)[1])
    n, c, h, w = data.shape
    if "reverse" in text:
        blocks = data.reshape(n, s, s, c // s ** 2, h, w).transpose(0, 3, 4, 1, 5, 2)
        return {"y": blocks.reshape(n, c // s ** 2, h * s, w * s)}
    blocks = data.reshape(n, c // s ** 2, h, s, w, s).transpose(0, 3, 5, 1, 2, 4)
    return {"y": blocks.reshape(n, c * s ** 2, h // s, w // s)}


REFERENCES = {"reduction": ref_reduction, "arg_max": ref_arg_max, "tile": ref_tile,
              "shuffle": ref_shuffle, "interp": ref_interp, "unpool": ref_unpool,
              "reorg": ref_reorg}


def run_ours(folder, inputs):
    out = os.path.join(folder, "out")
    command = [BINARY, "infer", os.path.join(folder, "net.prototxt"), "--output-dir", out]
    for name in inputs:
        command += ["--input", f"{name}={os.path.join(folder, name + '.npy')}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 1 and done.stderr.startswith("error"):
        return None, done.stderr.strip().splitlines()[-1]
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr[-300:]}")
    return {os.path.splitext(os.path.basename(f))[0]: np.load(f)
            for f in glob.glob(os.path.join(out, "*.npy"))}, ""


def difference(got, expected):
    if got is None:
        return "missing"
    if expected.shape != got.shape:
        return f"shape {list(got.shape)}, not {list(expected.shape)}"
    if not np.allclose(got, expected, rtol=1e-3, atol=1e-4, equal_nan=True):
        return f"off by up to {np.abs(got - expected).max():.3g}"
    return None


def write_case(case, family, folder):
    if case.net.can_be_old() and case.r.random() < 0.3:
        case.net.old = True
    case.net.blob_form = case.r.choice(["packed", "packed", "unpacked", "legacy"])
    if any(b.ndim > 4 for layer in case.net.layers for b in layer[5]):
        case.net.blob_form = "packed"
    with open(os.path.join(folder, "net.prototxt"), "w", encoding="utf-8") as file:
        file.write(case.net.text())
    with open(os.path.join(folder, "net.caffemodel"), "wb") as file:
        file.write(case.net.weights())
    inputs = inputs_of(case, family)
    for name, data in inputs.items():
        np.save(os.path.join(folder, name + ".npy"), data)
    return inputs


def one(seed, only, keep):
    """(family, verdict, detail): verdict is same, refused, oracle or WRONG."""
    pick = random.Random(seed * 7919 + 13)
    names = [n for n in FAMILIES if not only or n in only]
    family = pick.choices(names, [FAMILIES[n][1] for n in names])[0]
    case = Case(seed)
    FAMILIES[family][0](case)
    with tempfile.TemporaryDirectory() as folder:
        if keep:
            folder = os.path.join(keep, f"{family}-{seed}")
            os.makedirs(folder, exist_ok=True)
        inputs = write_case(case, family, folder)
        outputs = case.net.outputs()
        got, why = run_ours(folder, inputs)
        try:
            if family in REFERENCES:
                expected = REFERENCES[family](case, inputs["data"])
            else:
                expected = run_oracle(folder, inputs, outputs)
        except cv2.error as error:
            return family, "oracle", str(error).splitlines()[0][-200:]
        if got is None:
            return family, "refused", why
        if family == "proposal":
            rows = len(got["rois"])
            expected = {"rois": expected["rois"][:rows if not expected["rois"][rows:].any() else None]}
        for name in outputs:
            problem = difference(got.get(name), expected[name])
            if problem:
                return family, "WRONG", f"{name}: {problem}"
    return family, "same", ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append")
    parser.add_argument("--keep")
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    table = collections.defaultdict(collections.Counter)
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool_:
        seeds = range(args.seed, args.seed + args.count)
        for seed, (family, verdict, detail) in zip(
                seeds, pool_.map(lambda s: one(s, args.only, args.keep), seeds)):
            table[family][verdict] += 1
            if verdict == "WRONG":
                wrong.append((family, seed, detail))
            if verdict == "WRONG" or (args.v and verdict != "same"):
                print(f"{family} {seed}: {verdict}: {detail}", flush=True)
    total = collections.Counter()
    for family in sorted(table):
        total.update(table[family])
        counts = " ".join(f"{k}={v}" for k, v in sorted(table[family].items()))
        print(f"{family:15} {counts}")
    print(f"nets: {args.count}; the same numbers: {total['same']}; refused here: {total['refused']}; "
          f"refused by OpenCV: {total['oracle']}; WRONG: {total['WRONG']}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
