// The part of the ONNX file schema that the importer reads: field numbers and wire types of its
// messages, and the element types. Facts of the format; written by hand, because a generated
// protobuf class copies weights and ends at 2 GiB.
#pragma once

#include <cstdint>
#include <string>

#include "import/wire/wire.h"
#include "tensor/data_type.h"

namespace supernova::import::onnx {

using wire::Fields;
using wire::FieldType;
using wire::MessageType;
using wire::Place;
using wire::WireType;

namespace model {
enum : uint32_t {
  kIrVersion = 1,
  kProducerName = 2,
  kProducerVersion = 3,
  kGraph = 7,
  kOpset = 8,
  kMetadata = 14,
  kTraining = 20,
  kFunction = 25
};
}
namespace opset {
enum : uint32_t { kDomain = 1, kVersion = 2 };
}
namespace graph {
enum : uint32_t {
  kNode = 1,
  kName = 2,
  kInitializer = 5,
  kInput = 11,
  kOutput = 12,
  kValueInfo = 13,
  kSparseInitializer = 15
};
}
namespace node {
enum : uint32_t { kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5, kDomain = 7 };
}
namespace attribute {
enum : uint32_t {
  kName = 1,
  kFloat = 2,
  kInt = 3,
  kString = 4,
  kTensor = 5,
  kGraph = 6,
  kFloats = 7,
  kInts = 8,
  kStrings = 9,
  kTensors = 10,
  kGraphs = 11,
  kType = 20,
  kSparse = 22,
  kSparses = 23
};
}
namespace tensor_field {
enum : uint32_t {
  kDims = 1,
  kDataType = 2,
  kStringData = 6,
  kName = 8,
  kRawData = 9,
  kExternal = 13,
  kLocation = 14
};
}
namespace sparse {
enum : uint32_t { kValues = 1, kIndices = 2 };
}
namespace entry {
enum : uint32_t { kKey = 1, kValue = 2 };
}
namespace value_info {
enum : uint32_t { kName = 1, kType = 2, kDoc = 3 };
}
namespace type {
enum : uint32_t { kTensor = 1, kSequence = 4, kMap = 5, kOpaque = 7, kSparse = 8, kOptional = 9 };
enum : uint32_t { kElement = 1, kShape = 2 };  // of tensor and sparse tensor types
enum : uint32_t { kKey = 1, kMapValue = 2 };   // of map types
}  // namespace type
namespace shape {
enum : uint32_t { kDim = 1, kDimValue = 1, kDimParam = 2 };
}
namespace function {
enum : uint32_t { kName = 1, kNode = 7, kDomain = 10 };
}
namespace training {
enum : uint32_t { kInitialization = 1, kAlgorithm = 2 };
}

extern const MessageType kModelType;
extern const MessageType kOpsetType;
extern const MessageType kGraphType;
extern const MessageType kNodeType;
extern const MessageType kAttributeType;
extern const MessageType kTensorType;
extern const MessageType kSparseTensorType;
extern const MessageType kEntryType;
extern const MessageType kValueInfoType;
extern const MessageType kTypeType;
extern const MessageType kTensorTypeType;
extern const MessageType kSequenceTypeType;  // optional types look the same
extern const MessageType kMapTypeType;
extern const MessageType kShapeType;
extern const MessageType kDimType;
extern const MessageType kFunctionType;
extern const MessageType kTrainingType;

// "float", "int64", "float8e4m3fn"; "type 99" for a number that nobody has given a meaning.
std::string element_type_words(int64_t element_type);
// kInvalid for what no tensor of ours can carry (complex, 8-bit floats, 4-bit integers).
tensor::DataType element_data_type(int64_t element_type);
// Its number; 0 for kInvalid.
int64_t element_type_of(tensor::DataType type);
// Bits of one element as stored outside the file; 0 where that isn't fixed or known.
uint64_t element_bits(int64_t element_type);

}  // namespace supernova::import::onnx
