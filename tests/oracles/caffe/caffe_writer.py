"""Writes small Caffe models for the differential tests: text and binary NetParameter, by field number."""

import struct

OLD_TYPES = {
    "AbsVal": ("ABSVAL", 35), "ArgMax": ("ARGMAX", 30), "BNLL": ("BNLL", 2),
    "Concat": ("CONCAT", 3), "Convolution": ("CONVOLUTION", 4), "Deconvolution": ("DECONVOLUTION", 39),
    "Dropout": ("DROPOUT", 6), "Eltwise": ("ELTWISE", 25), "Exp": ("EXP", 38),
    "Flatten": ("FLATTEN", 8), "InnerProduct": ("INNER_PRODUCT", 14), "LRN": ("LRN", 15),
    "MVN": ("MVN", 34), "Pooling": ("POOLING", 17), "Power": ("POWER", 26), "ReLU": ("RELU", 18),
    "Sigmoid": ("SIGMOID", 19), "Slice": ("SLICE", 33), "Softmax": ("SOFTMAX", 20),
    "Split": ("SPLIT", 22), "TanH": ("TANH", 23)}


def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field_bytes(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def field_varint(number, value):
    return varint(number << 3) + varint(value)


def blob(array, form):
    """BlobProto; form: "packed", "unpacked", "double", "legacy" (four sizes instead of a shape)."""
    data = array.ravel()
    if form == "legacy":
        shape = [1] * (4 - array.ndim) + list(array.shape)
        out = b"".join(field_varint(i + 1, s) for i, s in enumerate(shape))
    else:
        out = field_bytes(7, field_bytes(1, b"".join(varint(s) for s in array.shape)))
    if form == "double":
        return out + field_bytes(8, struct.pack(f"<{data.size}d", *data))
    if form == "unpacked":
        return out + b"".join(varint(5 << 3 | 5) + struct.pack("<f", v) for v in data)
    return out + field_bytes(5, data.astype("<f4").tobytes())


class Net:
    """A net under construction; layers are added in order."""

    def __init__(self, old=False, blob_form="packed"):
        self.old, self.blob_form = old, blob_form
        self.inputs, self.layers = [], []

    def input(self, name, shape):
        self.inputs.append((name, list(shape)))
        return name

    def layer(self, kind, bottoms, tops, params="", blobs=(), name=None):
        name = name or f"{kind.lower()}{len(self.layers)}"
        self.layers.append((name, kind, list(bottoms), list(tops), params, list(blobs)))
        return tops[0] if tops else None

    def can_be_old(self):
        return all(kind in OLD_TYPES for _, kind, *_ in self.layers) and all(
            len(shape) == 4 for _, shape in self.inputs)

    def text(self):
        out = 'name: "case"\n'
        for name, shape in self.inputs:
            if self.old:
                out += f'input: "{name}"\n' + "".join(f"input_dim: {d}\n" for d in shape)
            else:
                dims = " ".join(f"dim: {d}" for d in shape)
                out += (f'layer {{ name: "{name}" type: "Input" top: "{name}" '
                        f"input_param {{ shape {{ {dims} }} }} }}\n")
        for name, kind, bottoms, tops, params, _ in self.layers:
            word, kind = (("layers", OLD_TYPES[kind][0]) if self.old else ("layer", f'"{kind}"'))
            ends = "".join(f' bottom: "{b}"' for b in bottoms) + "".join(
                f' top: "{t}"' for t in tops)
            out += f'{word} {{ name: "{name}" type: {kind}{ends} {params} }}\n'
        return out

    def weights(self):
        out = field_bytes(1, b"case")
        for name, kind, bottoms, tops, _, blobs in self.layers:
            if self.old:
                body = b"".join(field_bytes(2, b.encode()) for b in bottoms)
                body += b"".join(field_bytes(3, t.encode()) for t in tops)
                body += field_bytes(4, name.encode()) + field_varint(5, OLD_TYPES[kind][1])
            else:
                body = field_bytes(1, name.encode()) + field_bytes(2, kind.encode())
                body += b"".join(field_bytes(3, b.encode()) for b in bottoms)
                body += b"".join(field_bytes(4, t.encode()) for t in tops)
            body += b"".join(field_bytes(6 if self.old else 7, blob(b, self.blob_form)) for b in blobs)
            out += field_bytes(2 if self.old else 100, body)
        return out

    def outputs(self):
        """Blobs that nobody reads, as Caffe has them, and the layers that make them."""
        free = {}
        for name, _, bottoms, tops, _, _ in self.layers:
            free = {f: by for f, by in free.items() if f not in bottoms}
            for index, top in enumerate(tops):
                free[top] = (name, index)
        return free
