"""Writes small ONNX models, so that tests need no ONNX package.

A model is a protobuf message; only the fields used here are known. Field numbers are those of the
ONNX format (ModelProto, GraphProto, NodeProto, ValueInfoProto, TensorProto).
"""

# wire datatype -> ONNX element type
ELEMENT_TYPE = {
    "FP32": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7, "BYTES": 8,
    "BOOL": 9, "FP16": 10, "FP64": 11, "UINT32": 12, "UINT64": 13, "BF16": 16,
}


def _varint(value):
    out = bytearray()
    value &= (1 << 64) - 1  # negative numbers take ten bytes, as protobuf has it
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _bytes(field, value):
    if isinstance(value, str):
        value = value.encode()
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def tensor_info(name, datatype, shape):
    """One graph input or output. A dimension is a number, or a name where it may vary."""
    dims = b"".join(
        _bytes(1, _bytes(2, d) if isinstance(d, str) else _number(1, d)) for d in shape)
    tensor = _number(1, ELEMENT_TYPE[datatype]) + _bytes(2, dims)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


def sequence_info(name, datatype, optional=False):
    """A graph input or output that is a sequence of tensors of any shape, or none."""
    kind = _bytes(4, _bytes(1, _bytes(1, _number(1, ELEMENT_TYPE[datatype]))))
    return _bytes(1, name) + _bytes(2, _bytes(9, _bytes(1, kind)) if optional else kind)


def int_attribute(name, value):
    return _bytes(1, name) + _number(3, value) + _number(20, 2)


def node(op, inputs, outputs, attributes=()):
    return (b"".join(_bytes(1, i) for i in inputs) + b"".join(_bytes(2, o) for o in outputs) +
            _bytes(4, op) + b"".join(_bytes(5, a) for a in attributes))


def model(nodes, inputs, outputs, opset=13, ir_version=8, initializers=()):
    graph = (b"".join(_bytes(1, n) for n in nodes) + _bytes(2, "graph") +
             b"".join(_bytes(5, i) for i in initializers) +
             b"".join(_bytes(11, i) for i in inputs) + b"".join(_bytes(12, o) for o in outputs))
    return (_number(1, ir_version) + _bytes(2, "supernova-tests") + _bytes(7, graph) +
            _bytes(8, _number(2, opset)))


def identity(datatype, shape=("rows", "columns")):
    """INPUT0 -> OUTPUT0 of one datatype."""
    return model([node("Identity", ["INPUT0"], ["OUTPUT0"])],
                 [tensor_info("INPUT0", datatype, shape)],
                 [tensor_info("OUTPUT0", datatype, shape)])


def initializer(name, shape, raw):
    """A constant FP32 tensor."""
    return (b"".join(_number(1, d) for d in shape) + _number(2, ELEMENT_TYPE["FP32"]) +
            _bytes(8, name) + _bytes(9, raw))


def external_initializer(name, shape, location, offset):
    """The same with its content in another file; returns it and where the next may begin."""
    size = 4
    for d in shape:
        size *= d
    entries = {"location": location, "offset": str(offset), "length": str(size)}
    return (b"".join(_number(1, d) for d in shape) + _number(2, ELEMENT_TYPE["FP32"]) +
            _bytes(8, name) +
            b"".join(_bytes(13, _bytes(1, k) + _bytes(2, v)) for k, v in entries.items()) +
            _number(14, 1), (offset + size + 4095) // 4096 * 4096)


def sum_difference(datatype="FP32", shape=(2, 3), extra_weights=0):
    """INPUT0, INPUT1 -> SUM, DIFFERENCE; with `extra_weights` also WIDE, a product with a constant
    of about that many bytes."""
    nodes = [node("Add", ["INPUT0", "INPUT1"], ["SUM"]),
             node("Sub", ["INPUT0", "INPUT1"], ["DIFFERENCE"])]
    inputs = [tensor_info(n, datatype, shape) for n in ("INPUT0", "INPUT1")]
    outputs = [tensor_info(n, datatype, shape) for n in ("SUM", "DIFFERENCE")]
    initializers = []
    if extra_weights:
        width = max(1, extra_weights // (4 * shape[1]))
        initializers = [initializer("weights", (shape[1], width), bytes(4 * shape[1] * width))]
        nodes.append(node("MatMul", ["INPUT0", "weights"], ["WIDE"]))
        outputs.append(tensor_info("WIDE", datatype, (shape[0], width)))
    return model(nodes, inputs, outputs, initializers=initializers)
