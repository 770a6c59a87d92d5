#include "import/onnx/value_type.h"

#include "import/onnx/schema.h"

namespace supernova::import::onnx {
namespace {

constexpr int kMaxTypeDepth = 16;
constexpr size_t kMaxRank = 64;

base::Status parse_dim(Place place, ValueType& out) {
  int64_t size = -1;
  std::string name;
  Fields fields(place, kDimType);
  while (fields.next()) {
    if (fields.number() == shape::kDimValue) {
      // Negative sizes are how some exporters say "may vary".
      size = fields.signed_value() < 0 ? -1 : fields.signed_value();
      name.clear();
    } else if (fields.number() == shape::kDimParam) {
      size = -1;
      name = std::string(fields.view());
    }
  }
  SN_TRY(fields.status());
  out.shape.push_back(size);
  out.dim_names.push_back(std::move(name));
  return absl::OkStatus();
}

base::Status parse_shape(Place place, ValueType& out) {
  out.rank_known = true;
  Fields fields(place, kShapeType);
  while (fields.next()) {
    if (fields.number() != shape::kDim) continue;
    if (out.shape.size() == kMaxRank) {
      return absl::InvalidArgumentError(
          base::str_cat("a shape has more than ", kMaxRank, " dimensions"));
    }
    SN_TRY(parse_dim(fields.place(), out));
  }
  return fields.status();
}

base::Result<ValueType> parse_tensor_type(Place place, bool dense) {
  ValueType out;
  out.dense = dense;
  Fields fields(place, kTensorTypeType);
  while (fields.next()) {
    if (fields.number() == type::kElement) {
      out.element_type = fields.signed_value();
    } else if (fields.number() == type::kShape) {
      SN_TRY(parse_shape(fields.place(), out));
    }
  }
  SN_TRY(fields.status());
  out.words = base::str_cat(dense ? "tensor(" : "sparse_tensor(",
                            element_type_words(out.element_type), ")");
  return out;
}

// `inner` in a wrapper; `before` is what stands before its words: "sequence(".
ValueType wrap(ValueType inner, Wrapper wrapper, std::string_view before) {
  inner.wrappers.insert(inner.wrappers.begin(), wrapper);
  inner.words = base::str_cat(before, inner.words.empty() ? "undefined" : inner.words, ")");
  return inner;
}

// sequence and optional: one element type.
base::Result<ValueType> parse_wrapper_type(Place place, Wrapper wrapper, int depth) {
  ValueType inner;
  Fields fields(place, kSequenceTypeType);
  while (fields.next()) {
    if (fields.number() != type::kElement) continue;
    SN_ASSIGN(inner, parse_type(fields.place(), depth + 1));
  }
  SN_TRY(fields.status());
  return wrap(std::move(inner), wrapper, wrapper == Wrapper::kSequence ? "sequence(" : "optional(");
}

base::Result<ValueType> parse_map_type(Place place, int depth) {
  int64_t key = 0;
  ValueType value;
  Fields fields(place, kMapTypeType);
  while (fields.next()) {
    if (fields.number() == type::kKey) {
      key = fields.signed_value();
    } else if (fields.number() == type::kMapValue) {
      SN_ASSIGN(value, parse_type(fields.place(), depth + 1));
    }
  }
  SN_TRY(fields.status());
  return wrap(std::move(value), Wrapper::kMap, base::str_cat("map(", element_type_words(key), ","));
}

}  // namespace

base::Result<ValueType> parse_type(Place place, int depth) {
  if (depth > kMaxTypeDepth) {
    return absl::InvalidArgumentError(
        base::str_cat("a type is nested deeper than ", kMaxTypeDepth, " levels"));
  }
  base::Result<ValueType> out = ValueType();
  Fields fields(place, kTypeType);
  while (out.ok() && fields.next()) {
    switch (fields.number()) {
      case type::kTensor:
        out = parse_tensor_type(fields.place(), true);
        break;
      case type::kSparse:
        out = parse_tensor_type(fields.place(), false);
        break;
      case type::kSequence:
        out = parse_wrapper_type(fields.place(), Wrapper::kSequence, depth);
        break;
      case type::kOptional:
        out = parse_wrapper_type(fields.place(), Wrapper::kOptional, depth);
        break;
      case type::kMap:
        out = parse_map_type(fields.place(), depth);
        break;
      case type::kOpaque:
        out = ValueType{.words = "opaque"};
        break;
      default:
        break;
    }
  }
  SN_TRY(fields.status());
  return out;
}

}  // namespace supernova::import::onnx
