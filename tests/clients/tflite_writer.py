"""Writes TensorFlow Lite models whose weights lie behind the tables, as those of more than 2 GB do.

A model is a FlatBuffers file; only what is used here is known. Slots and numbers are those of
TensorFlow Lite's schema (schema.fbs, version 3).
"""

import struct

FLOAT32, INT32 = 0, 2
ADD, FULLY_CONNECTED, GATHER = 0, 9, 36
_UNPLACED = 1 << 62


class Scalar:
    def __init__(self, kind, value):
        self.bytes = struct.pack("<" + kind, value)


def _append_table(out, fields):
    """`fields`: slot -> Scalar, bytes with a count (a vector), a list of fields (tables)."""
    slots = max(fields, default=-1) + 1
    sizes = {slot: len(f.bytes) if isinstance(f, Scalar) else 4 for slot, f in fields.items()}
    vtable = len(out)
    at, places = 4, {}
    for slot in fields:
        places[slot] = at
        at += sizes[slot]
    out += struct.pack("<HH", 4 + 2 * slots, at)
    out += b"".join(struct.pack("<H", places.get(slot, 0)) for slot in range(slots))
    table = len(out)
    out += struct.pack("<i", table - vtable)
    for field in fields.values():
        out += field.bytes if isinstance(field, Scalar) else bytes(4)
    for slot, field in fields.items():
        if not isinstance(field, Scalar):
            place = table + places[slot]
            struct.pack_into("<I", out, place, len(out) - place)
            _append_vector(out, field)
    return table


def _append_vector(out, field):
    if not isinstance(field, list):
        count, content = field
        out += struct.pack("<I", count) + content
        return
    out += struct.pack("<I", len(field))
    first = len(out)
    out += bytes(4 * len(field))
    for i, fields in enumerate(field):
        place = first + 4 * i
        struct.pack_into("<I", out, place, _append_table(out, fields) - place)


def _ints(values):
    return (len(values), struct.pack(f"<{len(values)}i", *values))


def _text(value):
    return (len(value), value.encode() + b"\0")


class Model:
    def __init__(self):
        self.tensors, self.operators, self.codes = [], [], []
        self.buffers = [(0, 0)]  # size and place; buffer 0 is that of no content
        self.inputs, self.outputs = [], []

    def tensor(self, name, shape, kind=FLOAT32, size=0):
        """`size`: bytes of a constant's content."""
        if size:
            self.buffers.append((size, _UNPLACED))
        self.tensors.append({0: _ints(shape), 1: Scalar("b", kind),
                             2: Scalar("I", len(self.buffers) - 1 if size else 0), 3: _text(name)})
        return len(self.tensors) - 1

    def weights(self, name, shape):
        count = 4
        for size in shape:
            count *= size
        return self.tensor(name, shape, size=count)

    def op(self, code, inputs, output):
        if code not in self.codes:
            self.codes.append(code)
        self.operators.append({0: Scalar("I", self.codes.index(code)), 1: _ints(inputs),
                               2: _ints([output])})
        return output

    def _tables(self):
        out = bytearray(b"\0\0\0\0TFL3")
        graph = {0: self.tensors, 1: _ints(self.inputs), 2: _ints(self.outputs), 3: self.operators}
        buffers = [{1: Scalar("Q", place), 2: Scalar("Q", size)} if size else {}
                   for size, place in self.buffers]
        root = _append_table(out, {0: Scalar("I", 3),
                                   1: [{0: Scalar("b", c), 3: Scalar("i", c)} for c in self.codes],
                                   2: [graph], 4: buffers})
        struct.pack_into("<I", out, 0, root)
        return bytes(out)

    def write(self, path, floats):
        """Content is zero but for `floats`: tensor -> {element: value}. Holes take no room."""
        at = (len(self._tables()) + 4095) // 4096 * 4096
        for i, (size, _) in enumerate(self.buffers):
            if size:
                self.buffers[i] = (size, at)
                at += (size + 4095) // 4096 * 4096
        with open(path, "wb") as file:
            file.write(self._tables())
            file.truncate(at)
            for tensor, values in floats.items():
                number = struct.unpack("<I", self.tensors[tensor][2].bytes)[0]
                for element, value in values.items():
                    file.seek(self.buffers[number][1] + 4 * element)
                    file.write(struct.pack("<f", value))
        return at
