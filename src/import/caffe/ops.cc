#include "import/caffe/ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxCount = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxFilled = int64_t{16} << 20U;
constexpr int64_t kMaxMade = int64_t{16} << 20U;  // PriorBox, fillers: real nets need some 100,000

std::string shape_text(const Sizes& shape) {
  return base::str_cat("[", base::str_join(shape, ","), "]");
}

Sizes without_ones(const Sizes& shape) {
  Sizes out;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(out),
               [](int64_t size) { return size != 1; });
  return out;
}

std::optional<int64_t> count_of(const Sizes& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return std::nullopt;
  }
  return count;
}

// The weights of bilinear interpolation, as Caffe's BilinearFiller has them.
std::vector<float> bilinear(int64_t count, int64_t width) {
  const auto factor = static_cast<float>((width + 1) / 2);
  const float centre = static_cast<float>(width - 1) / (2 * factor);
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const auto x = static_cast<float>(i % width);
    const auto y = static_cast<float>((i / width) % width);
    values[static_cast<size_t>(i)] =
        (1 - std::fabs(x / factor - centre)) * (1 - std::fabs(y / factor - centre));
  }
  return values;
}

}  // namespace

LayerContext::LayerContext(graph::Builder& builder, const Layer& source, const Weights* weights,
                           const tensor::Options& options)
    : build(builder), layer(source), has_weights_file_(weights != nullptr), options_(options) {
  if (weights == nullptr) return;
  const auto at = weights->layers.find(layer.name);
  if (at != weights->layers.end()) blobs_ = &at->second.blobs;
}

void LayerContext::fail(std::string_view reason) {
  // A parameter that could not be read is why what followed went wrong.
  build.fail(status_.ok() ? reason : base::message(status_));
}

bool LayerContext::need_bottoms(size_t least, size_t most) {
  if (bottoms.size() >= least && bottoms.size() <= most) return true;
  fail(least == most ? base::str_cat("has ", bottoms.size(), " bottoms, not ", least)
                     : base::str_cat("has ", bottoms.size(), " bottoms"));
  return false;
}

bool LayerContext::need_rank(const Value* value, size_t least, size_t most) {
  if (value->type.rank_known && value->rank() >= least && value->rank() <= most) return true;
  fail(base::str_cat("a bottom has shape ", graph::to_string(value->dims()), ", of ", value->rank(),
                     " axes"));
  return false;
}

bool LayerContext::refuse_if(bool condition, std::string_view reason) {
  if (condition) fail(reason);
  return condition;
}

Params LayerContext::params(std::string_view message) { return root().message(message); }

Params LayerContext::root() { return {layer.text, "", status_}; }

std::string LayerContext::option(std::string_view key, std::string_view otherwise) const {
  const auto at = options_.find(std::string(key));
  return at != options_.end() ? at->second : std::string(otherwise);
}

std::optional<size_t> LayerContext::axis_of(const Value* value, int64_t axis, bool end_allowed) {
  const auto rank = static_cast<int64_t>(value->rank());
  const int64_t at = axis < 0 ? axis + rank : axis;
  if (at >= 0 && (at < rank || (end_allowed && at == rank))) return static_cast<size_t>(at);
  fail(base::str_cat("axis ", axis, " is not one of ", graph::to_string(value->dims())));
  return std::nullopt;
}

std::optional<Sizes> LayerContext::sizes(const Value* value, size_t from, size_t to) {
  Sizes out;
  for (size_t i = from; i < std::min(to, value->rank()); ++i) {
    const auto size = value->dims()[i].constant();
    if (!size) {
      fail(base::str_cat("needs a known shape, not ", graph::to_string(value->dims())));
      return std::nullopt;
    }
    out.push_back(*size);
  }
  return out;
}

std::optional<int64_t> LayerContext::size(const Value* value, size_t axis) {
  const auto found = sizes(value, axis, axis + 1);
  if (!found || found->empty()) return std::nullopt;
  return found->front();
}

bool LayerContext::check_count(const Sizes& shape) {
  const auto count = count_of(shape);
  if (count && *count <= kMaxCount) return true;
  fail(base::str_cat("its result of shape ", shape_text(shape), " is too large"));
  return false;
}

bool LayerContext::make_room(int64_t count) {
  const int64_t before = numbers_made != nullptr ? *numbers_made : 0;
  if (count < 0 || count > kMaxMade - before) {
    fail("makes too many constant numbers, with the layers before it");
    return false;
  }
  if (numbers_made != nullptr) *numbers_made = before + count;
  return true;
}

std::optional<Constant> LayerContext::blob_as_is(size_t index) {
  if (index < blob_count()) return (*blobs_)[index];
  if (!has_weights_file_) {
    fail("has no weights: there is no .caffemodel beside the net");
  } else if (blobs_ == nullptr) {
    fail("has no weights: the .caffemodel has no layer of this name with any");
  } else {
    fail(base::str_cat("needs blob ", index, ", but has ", blob_count(), " blobs of weights"));
  }
  return std::nullopt;
}

std::optional<Constant> LayerContext::blob(size_t index, Sizes shape) {
  const auto found = blob_as_is(index);
  if (!found) return std::nullopt;
  const auto count = count_of(shape);
  if (count != found->count() || without_ones(shape) != without_ones(found->shape())) {
    fail(base::str_cat("blob ", index, " has shape ", shape_text(found->shape()),
                       " where the layer needs ", shape_text(shape)));
    return std::nullopt;
  }
  return found->reshaped(std::move(shape));
}

std::optional<Constant> LayerContext::fill(const Sizes& shape, const Params& filler,
                                           std::optional<float> otherwise) {
  const std::string type = filler.text("type", "constant");
  const auto count = count_of(shape);
  const bool known = filler.exists() || otherwise;
  if (!known || !count || *count > kMaxFilled || (type != "constant" && type != "bilinear")) {
    return std::nullopt;
  }
  if (type == "bilinear" && (shape.size() != 4 || shape[2] != shape[3] || shape[2] < 1)) {
    return std::nullopt;
  }
  if (!make_room(*count)) return std::nullopt;
  if (type == "bilinear") return Constant::floats(shape, bilinear(*count, shape[3]));
  const double value = filler.number("value", filler.exists() ? 0.0 : *otherwise);
  return Constant::floats(
      shape, std::vector<float>(static_cast<size_t>(*count), static_cast<float>(value)));
}

std::optional<Constant> LayerContext::blob_or_filler(size_t index, Sizes shape,
                                                     const Params& filler,
                                                     std::optional<float> otherwise) {
  if (blobs_ == nullptr && has_weights_file_) {
    if (auto filled = fill(shape, filler, otherwise)) return filled;
  }
  return blob(index, std::move(shape));
}

const OpTable& op_table() {
  static const OpTable* const table = [] {
    auto* made = new OpTable;
    register_ops(*made);
    return made;
  }();
  return *table;
}

}  // namespace supernova::import::caffe
