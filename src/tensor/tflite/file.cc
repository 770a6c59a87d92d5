#include "tensor/tflite/file.h"

#include <algorithm>

#include "tensor/tflite/builtin_names.h"

namespace supernova::tensor::tflite {
namespace {

constexpr uint32_t kSchemaVersion = 3;
constexpr size_t kMaxRank = 8;
constexpr size_t kMaxSubgraphs = 1024;
constexpr size_t kMaxTensors = 1U << 18U;  // in all graphs; many tables may be one in the file
constexpr size_t kMaxOperators = 1U << 18U;
constexpr size_t kMaxCodes = 1U << 16U;
constexpr size_t kMaxMapped = 4096;
constexpr uint64_t kMinHead = 8;
// Every operand needs four bytes of the file unless operators share their lists, which no writer
// does to this degree: keeps work and memory in proportion to the file.
constexpr uint64_t kSharedListsFactor = 4;
constexpr uint64_t kFreeOperands = 1U << 16U;

// Slots of the tables.
namespace slot {
enum Model {
  kVersion,
  kCodes,
  kSubgraphs,
  kDescription,
  kBuffers,
  kMetadataBuffer,
  kMetadata,
  kSignatures,
  kExternalGroups,
  kExternalBuffers
};
enum Code { kOldCode, kCustomName, kCodeVersion, kCode };
enum Graph { kTensors, kInputs, kOutputs, kOperators, kGraphName };
enum Tensor {
  kShape,
  kType,
  kBuffer,
  kName,
  kQuantisation,
  kVariable,
  kSparsity,
  kSignature,
  kHasRank,
  kVariant,
  kExternalBuffer
};
enum Scale { kMin, kMax, kScale, kZeroPoint, kDetailsType, kDetails, kAxis };
enum Op {
  kOpcode,
  kOpInputs,
  kOpOutputs,
  kOptionsType,
  kOptions,
  kCustom,
  kCustomFormat,
  kMutating,
  kIntermediates,
  kLargeOffset,
  kLargeSize,
  kOptions2Type,
  kOptions2
};
enum Buffer { kData, kOffset, kSize };
enum Meta { kMetaName, kMetaBuffer };
enum Signature { kSignatureInputs, kSignatureOutputs, kKey, kOldKey, kSignatureGraph };
enum Map { kMapName, kMapTensor };
}  // namespace slot

struct Code {
  std::string name;
  int32_t version = 1;
};

class FileReader {
 public:
  explicit FileReader(Reader& reader) : reader_(reader) {}

  base::Result<File> read() {
    SN_TRY(check_head());
    const Table model = Table::root(reader_);
    File out;
    out.version = model.number<uint32_t>(slot::kVersion);
    SN_TRY(reader_.status());
    if (out.version != kSchemaVersion) {
      return absl::InvalidArgumentError(
          base::str_cat("the file is of schema version ", out.version,
                        ", but only version 3 is read; convert the model again"));
    }
    if (model.tables(slot::kExternalBuffers).size() != 0) {
      return absl::UnimplementedError(
          "the weights lie in another file (external buffers), which is not read; convert the "
          "model "
          "to one file");
    }
    out.description = model.text(slot::kDescription);
    SN_TRY(read_buffers(model.tables(slot::kBuffers)));
    SN_TRY(read_codes(model.tables(slot::kCodes)));
    out.graph_tables = model.tables(slot::kSubgraphs);
    SN_TRY(read_subgraphs(out.graph_tables, out));
    SN_TRY(read_metadata(model.tables(slot::kMetadata), out));
    SN_TRY(read_signatures(model.tables(slot::kSignatures), out));
    SN_TRY(reader_.status());
    return out;
  }

 private:
  base::Status check_head() const {
    if (reader_.file().size() < kMinHead) {
      return absl::InvalidArgumentError("the file ends within its first eight bytes");
    }
    if (!is_tflite(reader_.file())) {
      return absl::InvalidArgumentError(
          "the file has no TFL3 mark at byte 4, so it is not a TensorFlow Lite model, or one from "
          "before 2017; convert the model again");
    }
    return absl::OkStatus();
  }

  static base::Status limit(uint64_t count, size_t most, std::string_view what) {
    if (count <= most) return absl::OkStatus();
    return absl::InvalidArgumentError(
        base::str_cat("the model has ", count, " ", what, "; up to ", most, " are read"));
  }

  // Content after the tables' 2 GiB is named by offset and size.
  base::Result<std::string_view> outside(uint64_t offset, uint64_t size, std::string_view what) {
    if (!reader_.holds(offset, size)) {
      return absl::InvalidArgumentError(
          base::str_cat(what, " needs ", size, " bytes from byte ", offset, ", but the file has ",
                        reader_.file().size(), "; it may be incomplete"));
    }
    return reader_.file().substr(offset, size);
  }

  base::Status read_buffers(Tables tables) {
    buffers_.reserve(tables.size());
    for (size_t i = 0; i < tables.size(); ++i) {
      const Table table = tables[i];
      std::string_view content = table.numbers<uint8_t>(slot::kData).bytes();
      const auto offset = table.number<uint64_t>(slot::kOffset);
      // An offset of 1 marks a file that a writer did not finish.
      if (content.empty() && offset > 1) {
        SN_ASSIGN(content, outside(offset, table.number<uint64_t>(slot::kSize),
                                   base::str_cat("buffer ", i)));
      }
      SN_TRY(reader_.status());
      buffers_.push_back(content);
    }
    return absl::OkStatus();
  }

  base::Status read_codes(Tables tables) {
    SN_TRY(limit(tables.size(), kMaxCodes, "kinds of operators"));
    for (size_t i = 0; i < tables.size(); ++i) {
      const Table table = tables[i];
      // Files from before the 128th operator have the first field only.
      const int32_t code =
          std::max<int32_t>(table.byte(slot::kOldCode), table.integer(slot::kCode));
      Code out;
      out.version = table.integer(slot::kCodeVersion, 1);
      if (code == kCustomCode) {
        out.name = base::str_cat("CUSTOM:", table.text(slot::kCustomName).substr(0, 128));
      } else if (const std::string_view name = builtin_name(code); !name.empty()) {
        out.name = name;
      } else {
        out.name = base::str_cat("operator ", code);
      }
      SN_TRY(reader_.status());
      codes_.push_back(std::move(out));
    }
    return absl::OkStatus();
  }

  base::Status read_subgraphs(Tables tables, File& out) {
    if (tables.size() == 0) return absl::InvalidArgumentError("the model has no graph");
    SN_TRY(limit(tables.size(), kMaxSubgraphs, "graphs"));
    for (size_t i = 0; i < tables.size(); ++i) {
      SubGraph graph;
      const base::Status status = read_subgraph(tables[i], graph);
      if (!status.ok()) return i == 0 ? status : base::annotate(status, base::str_cat("graph ", i));
      out.subgraphs.push_back(std::move(graph));
    }
    return absl::OkStatus();
  }

  base::Status read_subgraph(Table table, SubGraph& out) {
    out.name = table.text(slot::kGraphName);
    const Tables tensors = table.tables(slot::kTensors);
    SN_TRY(limit(tensors_ += tensors.size(), kMaxTensors, "tensors"));
    for (size_t i = 0; i < tensors.size(); ++i) {
      TensorDef tensor;
      const base::Status status = read_tensor(tensors[i], tensor);
      if (!status.ok()) {
        return base::annotate(status, base::str_cat("tensor ", i, " '", tensor.name, "'"));
      }
      out.tensors.push_back(std::move(tensor));
    }
    const size_t count = out.tensors.size();
    SN_TRY(
        read_operands(table.numbers<int32_t>(slot::kInputs), count, "a graph input", out.inputs));
    SN_TRY(read_operands(table.numbers<int32_t>(slot::kOutputs), count, "a graph output",
                         out.outputs));
    const Tables operators = table.tables(slot::kOperators);
    SN_TRY(limit(operators_ += operators.size(), kMaxOperators, "operators"));
    for (size_t i = 0; i < operators.size(); ++i) {
      Operator op;
      const base::Status status = read_operator(operators[i], count, op);
      if (!status.ok()) {
        return base::annotate(status, base::str_cat("operator ", i, " ", op.name));
      }
      out.operators.push_back(std::move(op));
    }
    return reader_.status();
  }

  base::Status read_shape(Numbers<int32_t> sizes, bool open, std::vector<int64_t>& out) {
    if (sizes.size() > kMaxRank) {
      return absl::InvalidArgumentError(
          base::str_cat("has ", sizes.size(), " axes; up to ", kMaxRank, " are read"));
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] < (open ? -1 : 0)) {
        return absl::InvalidArgumentError(base::str_cat("has a size of ", sizes[i]));
      }
      out.push_back(sizes[i]);
    }
    return absl::OkStatus();
  }

  base::Status read_tensor(Table table, TensorDef& out) {
    out.name = table.text(slot::kName);
    out.type = static_cast<Element>(table.byte(slot::kType));
    out.variable = table.flag(slot::kVariable);
    const auto buffer = table.number<uint32_t>(slot::kBuffer);
    if (buffer != 0) {
      if (buffer >= buffers_.size()) {
        return absl::InvalidArgumentError(base::str_cat("its content is in buffer ", buffer,
                                                        ", but there are ", buffers_.size()));
      }
      out.data = buffers_[buffer];
      out.constant = !out.data.empty();
    }
    SN_TRY(read_shape(table.numbers<int32_t>(slot::kShape), false, out.shape));
    SN_TRY(read_shape(table.numbers<int32_t>(slot::kSignature), true, out.signature));
    if (out.signature.size() != out.shape.size()) out.signature.clear();
    const Table scale = table.table(slot::kQuantisation);
    out.quantisation.scales = scale.numbers<float>(slot::kScale);
    out.quantisation.zero_points = scale.numbers<int64_t>(slot::kZeroPoint);
    out.quantisation.axis = scale.integer(slot::kAxis);
    out.quantisation.special = scale.number<uint8_t>(slot::kDetailsType) != 0;
    out.sparsity = table.table(slot::kSparsity);
    mark_shifted(out);
    return reader_.status();
  }

  static void mark_shifted(TensorDef& out) {
    const Quantisation& q = out.quantisation;
    const auto fits = [](int64_t zero) { return zero >= -128 && zero < 128; };
    if (out.type != Element::kInt8 || out.constant || q.scales.size() != 1 || q.special) return;
    if (q.zero_points.size() > 1 || (q.zero_points.size() == 1 && !fits(q.zero_points[0]))) return;
    out.type = Element::kUint8;
    out.shifted = true;
  }

  base::Status read_operands(Numbers<int32_t> numbers, size_t tensors, std::string_view what,
                             std::vector<int32_t>& out) {
    operands_ += numbers.size();
    if (operands_ > kFreeOperands + kSharedListsFactor * reader_.file().size() / sizeof(int32_t)) {
      return absl::InvalidArgumentError("operators name more tensors than the file has room for");
    }
    for (size_t i = 0; i < numbers.size(); ++i) {
      const int32_t number = numbers[i];
      if (number < -1 || number >= static_cast<int64_t>(tensors)) {
        return absl::InvalidArgumentError(
            base::str_cat(what, " is tensor ", number, ", but there are ", tensors, " tensors"));
      }
    }
    out = numbers.copy();
    return absl::OkStatus();
  }

  base::Status read_operator(Table table, size_t tensors, Operator& out) {
    const auto code = table.number<uint32_t>(slot::kOpcode);
    if (code >= codes_.size()) {
      SN_TRY(reader_.status());
      return absl::InvalidArgumentError(
          base::str_cat("is of kind ", code, ", but the model lists ", codes_.size(), " kinds"));
    }
    out.name = codes_[code].name;
    out.version = codes_[code].version;
    SN_TRY(read_operands(table.numbers<int32_t>(slot::kOpInputs), tensors, "an input", out.inputs));
    SN_TRY(
        read_operands(table.numbers<int32_t>(slot::kOpOutputs), tensors, "an output", out.outputs));
    SN_TRY(read_operands(table.numbers<int32_t>(slot::kIntermediates), tensors, "an intermediate",
                         out.intermediates));
    out.options = table.table(slot::kOptions);
    out.options2 = table.table(slot::kOptions2);
    out.custom_options = table.numbers<uint8_t>(slot::kCustom).bytes();
    const auto offset = table.number<uint64_t>(slot::kLargeOffset);
    if (out.custom_options.empty() && offset > 1) {
      SN_ASSIGN(out.custom_options,
                outside(offset, table.number<uint64_t>(slot::kLargeSize), "its options"));
    }
    return reader_.status();
  }

  base::Status read_metadata(Tables tables, File& out) {
    for (size_t i = 0; i < std::min(tables.size(), kMaxMapped); ++i) {
      const Table table = tables[i];
      const auto buffer = table.number<uint32_t>(slot::kMetaBuffer);
      if (buffer >= buffers_.size()) continue;  // nothing that the graph needs
      out.metadata.emplace_back(table.text(slot::kMetaName), buffers_[buffer]);
    }
    return reader_.status();
  }

  std::vector<std::pair<std::string_view, uint32_t>> read_map(Tables tables) {
    std::vector<std::pair<std::string_view, uint32_t>> out;
    for (size_t i = 0; i < std::min(tables.size(), kMaxMapped); ++i) {
      const Table table = tables[i];
      out.emplace_back(table.text(slot::kMapName), table.number<uint32_t>(slot::kMapTensor));
    }
    return out;
  }

  base::Status read_signatures(Tables tables, File& out) {
    for (size_t i = 0; i < std::min<size_t>(tables.size(), kMaxSubgraphs); ++i) {
      const Table table = tables[i];
      SignatureDef signature;
      signature.key = table.text(slot::kKey);
      signature.subgraph = table.number<uint32_t>(slot::kSignatureGraph);
      signature.inputs = read_map(table.tables(slot::kSignatureInputs));
      signature.outputs = read_map(table.tables(slot::kSignatureOutputs));
      SN_TRY(reader_.status());
      out.signatures.push_back(std::move(signature));
    }
    return reader_.status();
  }

  Reader& reader_;
  std::vector<std::string_view> buffers_;
  std::vector<Code> codes_;
  uint64_t operands_ = 0;
  uint64_t tensors_ = 0;
  uint64_t operators_ = 0;
};

}  // namespace

TensorDef as_in_file(const TensorDef& def) {
  TensorDef out = def;
  if (def.shifted) out.type = Element::kInt8;
  out.shifted = false;
  return out;
}

std::string element_name(Element element) {
  static constexpr std::string_view kNames[] = {
      "FLOAT32", "FLOAT16",   "INT32",  "UINT8",   "INT64",      "STRING", "BOOL",
      "INT16",   "COMPLEX64", "INT8",   "FLOAT64", "COMPLEX128", "UINT64", "RESOURCE",
      "VARIANT", "UINT32",    "UINT16", "INT4",    "BFLOAT16",   "INT2",   "UINT4"};
  const auto number = static_cast<int>(element);
  if (number < 0 || number >= static_cast<int>(std::size(kNames))) {
    return base::str_cat("type ", number);
  }
  return std::string(kNames[number]);
}

DataType data_type(Element element) {
  switch (element) {
    case Element::kFloat32:
      return DataType::kFp32;
    case Element::kFloat16:
      return DataType::kFp16;
    case Element::kInt32:
      return DataType::kInt32;
    case Element::kUint8:
      return DataType::kUint8;
    case Element::kInt64:
      return DataType::kInt64;
    case Element::kString:
      return DataType::kBytes;
    case Element::kBool:
      return DataType::kBool;
    case Element::kInt16:
      return DataType::kInt16;
    case Element::kInt8:
    case Element::kInt4:
      return DataType::kInt8;
    case Element::kFloat64:
      return DataType::kFp64;
    case Element::kUint64:
      return DataType::kUint64;
    case Element::kUint32:
      return DataType::kUint32;
    case Element::kUint16:
      return DataType::kUint16;
    case Element::kBfloat16:
      return DataType::kBf16;
    default:
      return DataType::kInvalid;
  }
}

bool is_tflite(std::string_view head) { return head.size() >= 8 && head.substr(4, 4) == "TFL3"; }

base::Result<File> read_file(Reader& reader) { return FileReader(reader).read(); }

}  // namespace supernova::tensor::tflite
