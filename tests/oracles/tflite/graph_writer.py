"""Writes small .tflite files, with the schema classes that come with the runtime."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    "float32": schema.TensorType.FLOAT32, "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32, "uint8": schema.TensorType.UINT8,
    "int64": schema.TensorType.INT64, "bool": schema.TensorType.BOOL,
    "int16": schema.TensorType.INT16, "int8": schema.TensorType.INT8,
    "complex64": schema.TensorType.COMPLEX64,
}


class Quant:
    """Scale and zero point of a tensor, or several scales along an axis."""

    def __init__(self, scale, zero=0, axis=0):
        self.scale = np.atleast_1d(np.asarray(scale, np.float32))
        self.zero = np.broadcast_to(np.asarray(zero, np.int64), self.scale.shape)
        self.axis = axis


class Graph:
    """One graph: tensors are numbers, as in the file."""

    def __init__(self, model=None):
        self.model = model or Model()
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.feeds = []
        self.later = []  # feeds of further requests, which find the state of the earlier ones
        self.model.model.subgraphs.append(self.graph)

    def tensor(self, dtype, shape=(), data=None, quant=None, variable=False, signature=None):
        t = schema.TensorT()
        t.name = f"t{len(self.graph.tensors)}"
        t.type = TYPES[dtype]
        t.shape = [int(x) for x in shape]
        t.isVariable = variable
        t.hasRank = True
        if signature is not None:
            t.shapeSignature = list(signature)
        if data is not None:
            array = np.asarray(data, dtype=dtype)
            t.shape = list(array.shape)
            t.buffer = self.model.buffer(array.tobytes())
        if quant is not None:
            q = schema.QuantizationParametersT()
            q.scale, q.zeroPoint = list(quant.scale), list(quant.zero)
            q.quantizedDimension = quant.axis
            t.quantization = q
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def const(self, data, dtype=None, quant=None):
        array = np.asarray(data)
        return self.tensor(dtype or str(array.dtype), array.shape, array, quant)

    def input(self, array, quant=None, signature=None):
        t = self.tensor(str(array.dtype), array.shape, quant=quant, signature=signature)
        self.graph.inputs.append(t)
        self.feeds.append(array)
        return t

    def op(self, name, inputs, outputs, options=None, custom=None, version=1):
        o = schema.OperatorT()
        o.opcodeIndex = self.model.code(name, version)
        o.inputs, o.outputs = list(inputs), list(outputs)
        if options is not None:
            kind = type(options).__name__[:-1]
            o.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            o.builtinOptions = options
        if custom is not None:
            o.customOptions = list(custom)
        self.graph.operators.append(o)
        return outputs[0] if outputs else None

    def finish(self, *outputs):
        self.graph.outputs = list(outputs)
        return self


class Model:
    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "differential test"
        self.model.subgraphs, self.model.operatorCodes = [], []
        self.model.buffers = [schema.BufferT()]
        self.codes = {}

    def buffer(self, content):
        b = schema.BufferT()
        b.data = np.frombuffer(content, np.uint8)
        self.model.buffers.append(b)
        return len(self.model.buffers) - 1

    def code(self, name, version):
        if (name, version) not in self.codes:
            c = schema.OperatorCodeT()
            number = getattr(schema.BuiltinOperator, name, schema.BuiltinOperator.CUSTOM)
            c.builtinCode = number
            c.deprecatedBuiltinCode = min(number, 127)
            c.version = version
            if number == schema.BuiltinOperator.CUSTOM:
                c.customCode = name
            self.codes[(name, version)] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(c)
        return self.codes[(name, version)]

    def lower_version(self, name):
        """One version less for an operator; false where there is none."""
        for (op, _), i in self.codes.items():
            if op == name and self.model.operatorCodes[i].version > 1:
                self.model.operatorCodes[i].version -= 1
                return True
        return False

    def bytes(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def options(name, **fields):
    """An options table, fields by their names in the schema's Python classes."""
    out = getattr(schema, name + "OptionsT")()
    for key, value in fields.items():
        if not hasattr(out, key):
            raise AttributeError(f"{name}Options has no {key}")
        setattr(out, key, value)
    return out
