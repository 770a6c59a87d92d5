#include "protocol/kserve_v1/nested_tensor.h"

#include "protocol/oip/json_data.h"
#include "protocol/oip/json_reader.h"

namespace supernova::protocol::kserve_v1 {
namespace {

using oip::JsonReader;
using tensor::Shape;

constexpr int64_t kOpen = -1;  // a size not known yet

// Finds the shape of a nested array by walking it once.
class ShapeFinder {
 public:
  explicit ShapeFinder(std::string_view json) : reader_(json) {}

  base::Result<Shape> find() {
    do {
      if (!levels_.empty() && !value_due_ && !reader_.next_element(levels_.back().first)) {
        SN_TRY(close());
        continue;
      }
      value_due_ = false;
      SN_TRY(reader_.status());
      if (!levels_.empty()) ++levels_.back().count;
      SN_TRY(reader_.peek() == '[' ? open() : scalar());
    } while (!levels_.empty());
    return shape_;
  }

 private:
  struct Level {
    bool first = true;
    int64_t count = 0;
  };

  static base::Status ragged() {
    return absl::InvalidArgumentError(
        "arrays and elements, or arrays of different depth, stand side by side");
  }

  base::Status open() {
    if (levels_.size() == static_cast<size_t>(JsonReader::kMaxDepth)) {
      return absl::InvalidArgumentError("more than 100 levels of nesting");
    }
    if (levels_.size() == shape_.size()) {
      if (elements_seen_) return ragged();
      shape_.push_back(kOpen);
    }
    levels_.emplace_back();
    return {};
  }

  base::Status close() {
    SN_TRY(reader_.status());
    const int64_t count = levels_.back().count;
    levels_.pop_back();
    int64_t& size = shape_[levels_.size()];
    if (size == kOpen) size = count;
    if (size == count) return {};
    return absl::InvalidArgumentError(base::str_cat("an array of ", count, " stands beside one of ",
                                                    size, " at depth ", levels_.size()));
  }

  base::Status scalar() {
    if (levels_.size() != shape_.size()) return ragged();
    elements_seen_ = true;
    if (!levels_.empty()) {
      const oip::NumberRun run = reader_.skip_numbers();
      if (run.count > 0) {
        levels_.back().count += static_cast<int64_t>(run.count) - 1;  // one is counted already
        value_due_ = run.value_due;
        return {};
      }
    }
    std::string_view ignored;
    reader_.skip_value(ignored);
    return reader_.status();
  }

  JsonReader reader_;
  std::vector<Level> levels_;  // the arrays that are open
  Shape shape_;
  bool elements_seen_ = false;
  bool value_due_ = false;  // the comma before it has been read
};

// [] says nothing of the sizes inside it.
void complete(Shape& shape, const tensor::TensorInfo& info) {
  if (shape.empty() || shape.back() != 0 || !info.rank_known) return;
  while (shape.size() < info.shape.size()) {
    shape.push_back(std::max<int64_t>(0, info.shape[shape.size()]));
  }
}

base::Result<tensor::Tensor> read(std::string_view json, const tensor::TensorInfo& info) {
  tensor::Tensor tensor;
  tensor.name = info.name;
  tensor.data_type = info.data_type;
  SN_ASSIGN(tensor.shape, ShapeFinder(json).find());
  SN_ASSIGN(const int64_t count, tensor::element_count(tensor.shape));
  const std::string list = tensor.shape.empty() ? base::str_cat("[", json, "]") : "";
  JsonReader reader(list.empty() ? json : list);
  SN_ASSIGN(tensor.buffer,
            oip::read_json_data(reader, info.data_type, count, oip::Strings::kTextOrBase64));
  complete(tensor.shape, info);
  return tensor;
}

}  // namespace

base::Result<tensor::Tensor> read_nested_tensor(std::string_view json,
                                                const tensor::TensorInfo& info) {
  auto tensor = read(json, info);
  if (tensor.ok()) return tensor;
  return base::annotate(tensor.status(), base::str_cat("input '", info.name, "'"));
}

base::Status append_nested(std::string& out, const oip::JsonValues& values,
                           std::span<const int64_t> shape, size_t first) {
  SN_ASSIGN(const int64_t count, tensor::element_count(shape));
  if (shape.empty()) return values.append(out, first, 1);
  out += '[';
  if (shape.size() == 1) {
    SN_TRY(values.append(out, first, static_cast<size_t>(count)));
  } else if (count > 0) {
    const auto stride = static_cast<size_t>(count / shape[0]);
    for (int64_t row = 0; row < shape[0]; ++row) {
      if (row > 0) out += ',';
      SN_TRY(
          append_nested(out, values, shape.subspan(1), first + static_cast<size_t>(row) * stride));
    }
  }
  out += ']';
  return {};
}

}  // namespace supernova::protocol::kserve_v1
