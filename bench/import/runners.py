"""The other runtimes: calls a model for some seconds, prints the median of a call in microseconds.

usage: runners.py tflite|xnnpack|opencv MODEL THREADS SECONDS
"""

import ctypes
import os
import sys
import time


def median_call(call, seconds):
    for _ in range(3):
        call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2] * 1e6


class XnnpackOptions(ctypes.Structure):
    _fields_ = [("num_threads", ctypes.c_int32), ("flags", ctypes.c_uint32)]


def tflite(model, threads, xnnpack):
    """An interpreter of the C library over inputs of zero."""
    lib = ctypes.CDLL(os.environ["TFLITE_C_LIBRARY"])
    for name in ("TfLiteModelCreateFromFile", "TfLiteInterpreterOptionsCreate",
                 "TfLiteInterpreterCreate", "TfLiteXNNPackDelegateCreate",
                 "TfLiteInterpreterGetInputTensor", "TfLiteTensorData"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.TfLiteTensorByteSize.restype = ctypes.c_size_t
    handle = ctypes.c_void_p
    content = handle(lib.TfLiteModelCreateFromFile(model.encode()))
    # All that XNNPACK takes: both kinds of eight-bit integers, or the signed kind only where it fails.
    for flags in (3, 1) if xnnpack else (0,):
        options = handle(lib.TfLiteInterpreterOptionsCreate())
        lib.TfLiteInterpreterOptionsSetNumThreads(options, threads)
        if xnnpack:
            room = (ctypes.c_uint8 * 256)()  # as large as the library's own options, or larger
            XnnpackOptions.from_buffer(room).num_threads = threads
            XnnpackOptions.from_buffer(room).flags = flags
            lib.TfLiteInterpreterOptionsAddDelegate(
                options, handle(lib.TfLiteXNNPackDelegateCreate(ctypes.byref(room))))
        runtime = handle(lib.TfLiteInterpreterCreate(content, options))
        if runtime and lib.TfLiteInterpreterAllocateTensors(runtime) == 0:
            break
    else:
        sys.exit("the runtime refuses the model")
    for i in range(lib.TfLiteInterpreterGetInputTensorCount(runtime)):
        tensor = handle(lib.TfLiteInterpreterGetInputTensor(runtime, i))
        ctypes.memset(handle(lib.TfLiteTensorData(tensor)), 0, lib.TfLiteTensorByteSize(tensor))
    if lib.TfLiteInterpreterInvoke(runtime) != 0:
        sys.exit("the runtime fails")
    return lambda: lib.TfLiteInterpreterInvoke(runtime)


def opencv(folder, threads):
    import cv2  # pylint: disable=import-outside-toplevel
    import numpy as np  # pylint: disable=import-outside-toplevel
    import re  # pylint: disable=import-outside-toplevel
    files = [os.path.join(folder, f) for f in sorted(os.listdir(folder))]
    text = next(f for f in files if f.endswith(".prototxt"))
    weights = next(f for f in files if f.endswith(".caffemodel"))
    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromCaffe(text, weights)
    with open(text, encoding="utf-8") as file:
        sizes = [int(d) for d in re.findall(r"(?:\bdim|input_dim)\s*:\s*(\d+)", file.read())[:4]]
    net.setInput(np.zeros(sizes, np.float32))
    outputs = net.getUnconnectedOutLayersNames()

    def call():
        net.setInput(np.zeros(sizes, np.float32))
        net.forward(outputs)

    return call


def main():
    kind, model, threads, seconds = sys.argv[1:]
    if kind == "opencv":
        call = opencv(model, int(threads))
    else:
        call = tflite(model, int(threads), kind == "xnnpack")
    print(median_call(call, float(seconds)))


if __name__ == "__main__":
    main()
