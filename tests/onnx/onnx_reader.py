"""Reads just enough of ONNX's protobuf messages to run its test data, with nothing but Python.

Field numbers are those of the ONNX format (ModelProto, GraphProto, ValueInfoProto, TypeProto,
TensorProto, SequenceProto, OptionalProto).
"""

import struct
from collections import namedtuple

# element type -> (name, .npy type, bytes of one element, struct code); None: no .npy form
TYPES = {
    1: ("FP32", "<f4", 4, "f"), 2: ("UINT8", "|u1", 1, "B"), 3: ("INT8", "|i1", 1, "b"),
    4: ("UINT16", "<u2", 2, "H"), 5: ("INT16", "<i2", 2, "h"), 6: ("INT32", "<i4", 4, "i"),
    7: ("INT64", "<i8", 8, "q"), 8: ("BYTES", None, 0, None), 9: ("BOOL", "|b1", 1, "?"),
    10: ("FP16", "<f2", 2, "e"), 11: ("FP64", "<f8", 8, "d"), 12: ("UINT32", "<u4", 4, "I"),
    13: ("UINT64", "<u8", 8, "Q"), 14: ("COMPLEX64", "<c8", 8, None),
    15: ("COMPLEX128", "<c16", 16, None), 16: ("BF16", "<u2", 2, "H"),
}
STRING, BF16 = 8, 16

# data: bytes, little-endian and row-major, or a list of bytes where type is STRING
Tensor = namedtuple("Tensor", "type shape data")
# wrappers: what the tensor is in, outermost first: "sequence", "optional"; "map" and "sparse tensor"
# are only named. type: the tensor's element type
Value = namedtuple("Value", "name wrappers type")


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def fields(data):
    """Yields (field number, value): an int for numbers, bytes for everything else."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
        else:
            if wire == 2:
                size, at = _varint(data, at)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise ValueError(f"unknown wire type {wire}")
            value = data[at:at + size]
            if len(value) != size:
                raise ValueError("the message ends early")
            at += size
        yield key >> 3, value


def _numbers(value):
    """A repeated number, packed or not."""
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        out.append(number)
    return out


def tensor(data):
    """A TensorProto."""
    shape, kind, strings, raw, integers = [], 0, [], None, []
    packed = b""  # float_data or double_data
    for field, value in fields(data):
        if field == 1:
            shape += [_signed(n) for n in _numbers(value)]
        elif field == 2:
            kind = value
        elif field in (4, 10):
            packed += value
        elif field in (5, 7, 11):
            integers += _numbers(value)
        elif field == 6:
            strings.append(value)
        elif field == 9:
            raw = value
    if kind == STRING:
        return Tensor(kind, shape, strings)
    if kind not in TYPES:
        raise ValueError(f"unknown element type {kind}")
    if raw is None:
        size = TYPES[kind][2]
        mask = (1 << 8 * size) - 1
        raw = packed or b"".join((n & mask).to_bytes(size, "little") for n in integers)
    return Tensor(kind, shape, raw)


def value(data, wrappers):
    """A value of test data: a Tensor, a list for a sequence, None for an optional without value."""
    if not wrappers:
        return tensor(data)
    inner = [content for field, content in fields(data) if field in (3, 5)]
    inside = [value(content, wrappers[1:]) for content in inner]
    if wrappers[0] == "sequence":
        return inside
    if wrappers[0] == "optional" and len(inside) <= 1:
        return inside[0] if inside else None
    raise ValueError(f"test data of a {wrappers[0]}")


def _type(data):
    """A TypeProto: (wrappers, element type)."""
    wrappers, element = [], 0
    kinds = {4: "sequence", 5: "map", 8: "sparse tensor", 9: "optional"}
    for which, inner in fields(data):
        if which == 1:
            element = dict(fields(inner)).get(1, 0)
        elif which in (4, 9):
            wrappers, element = _type(dict(fields(inner)).get(1, b""))
        if which in kinds:
            wrappers = [kinds[which]] + wrappers
    return wrappers, element


def _value_info(data):
    """A ValueInfoProto."""
    name, wrappers, element = "", [], 0
    for field, content in fields(data):
        if field == 1:
            name = content.decode()
        elif field == 2:
            wrappers, element = _type(content)
    return Value(name, wrappers, element)


def model_values(data):
    """The inputs (without those that have a value in the file) and the outputs of a ModelProto."""
    graph = next(value for field, value in fields(data) if field == 7)
    inputs, outputs, initialised = [], [], set()
    for field, value in fields(graph):
        if field == 11:
            inputs.append(_value_info(value))
        elif field == 12:
            outputs.append(_value_info(value))
        elif field == 5:
            initialised.update(v.decode() for f, v in fields(value) if f == 8)
    return [i for i in inputs if i.name not in initialised], outputs


def elements(t):
    """The elements of a tensor as Python values; complex numbers as pairs."""
    if t.type == STRING:
        return list(t.data)
    code = TYPES[t.type][3]
    if t.type == BF16:  # the upper half of a float
        wide = b"".join(b"\0\0" + t.data[i:i + 2] for i in range(0, len(t.data), 2))
        return list(struct.unpack(f"<{len(wide) // 4}f", wide))
    if code is None:
        code, size = ("f", 4) if t.type == 14 else ("d", 8)
        return list(struct.unpack(f"<{len(t.data) // size}{code}", t.data))
    return list(struct.unpack(f"<{len(t.data) // TYPES[t.type][2]}{code}", t.data))
