"""Writes the nets whose speed is compared into a folder."""

import importlib
import os


def write_tflite(path, make):
    path += ".tflite"
    with open(path, "wb") as file:
        file.write(make())
    return path


def write_caffe(path, make):
    os.makedirs(path, exist_ok=True)
    net = make()
    with open(os.path.join(path, "net.prototxt"), "w", encoding="utf-8") as file:
        file.write(net.text())
    with open(os.path.join(path, "net.caffemodel"), "wb") as file:
        file.write(net.weights())
    return path


WRITERS = {"tflite": write_tflite, "caffe": write_caffe}


def write_all(folder, frameworks, wanted=()):
    """Paths by framework and name, TensorFlow Lite's of files and Caffe's of folders; `wanted`: only
    these."""
    made = {}
    for framework in frameworks:
        nets = importlib.import_module(framework + "_nets").ALL
        made[framework] = {
            name: WRITERS[framework](os.path.join(folder, name), make)
            for name, make in nets.items() if not wanted or name in wanted}
    return made
