#include "import/tflite/context.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace supernova::import::tflite {
namespace {

constexpr uint64_t kMaxStateElements = 1U << 24U;

// Whether ONNX's QuantizeLinear of the target opset has the type.
bool in_target(Element type) {
  return type == Element::kInt8 || type == Element::kUint8 || type == Element::kInt4;
}

int64_t zero_point(const TensorDef& def, size_t i) {
  const auto& zeros = def.quantisation.zero_points;
  const int64_t shift = def.shifted ? 128 : 0;
  if (zeros.empty()) return shift;
  return zeros[zeros.size() == 1 ? 0 : i] + shift;
}

bool scales_fit(const TensorDef& def) {
  for (size_t i = 0; i < def.quantisation.scales.size(); ++i) {
    const float scale = def.quantisation.scales[i];
    if (!std::isfinite(scale) || scale <= 0) return false;
  }
  const size_t zeros = def.quantisation.zero_points.size();
  const auto [low, high] = stored_range(def);
  for (size_t i = 0; i < zeros; ++i) {
    const int64_t zero = zero_point(def, i);
    if (zero < low || zero > high) return false;
  }
  return zeros == 0 || zeros == 1 || zeros == def.quantisation.scales.size();
}

Value* scale_value(Builder& b, const TensorDef& def) {
  const auto& scales = def.quantisation.scales;
  if (!is_per_axis(def)) return b.scalar(scales[0]);
  return b.constant(Constant::floats({static_cast<int64_t>(scales.size())}, scales.copy()));
}

// Of the stored type, one for each scale.
Value* zero_point_value(Builder& b, const TensorDef& def) {
  const size_t count = def.quantisation.scales.size();
  std::vector<int64_t> shape;
  if (is_per_axis(def)) shape.push_back(static_cast<int64_t>(count));
  std::vector<uint8_t> zeros;
  for (size_t i = 0; i < count; ++i) zeros.push_back(static_cast<uint8_t>(zero_point(def, i)));
  return b.constant(Constant::of<uint8_t>(data_type(def.type), shape, zeros));
}

// For the types that the target's operator doesn't have.
Value* dequantise_by_hand(Builder& b, Value* stored, const TensorDef& def) {
  if (is_per_axis(def)) {
    return b.fail(base::str_cat("tensor '", def.name, "' of ", element_name(def.type),
                                " has several scales"));
  }
  Value* x = b.cast(stored, DataType::kFp32);
  if (zero_point(def, 0) != 0) {
    x = b.sub(x, b.scalar(static_cast<float>(zero_point(def, 0))));
  }
  return b.mul(x, b.scalar(def.quantisation.scales[0]));
}

Value* quantise_by_hand(Builder& b, Value* real, const TensorDef& def) {
  Value* x = b.op("Round", {b.div(real, b.scalar(def.quantisation.scales[0]))});
  if (zero_point(def, 0) != 0) {
    x = b.add(x, b.scalar(static_cast<float>(zero_point(def, 0))));
  }
  const auto [low, high] = stored_range(def);
  // The largest float below 2^31, so that the cast stays in range.
  const float top = def.type == Element::kInt32 ? 2147483520.0F : static_cast<float>(high);
  return b.cast(b.clip(x, static_cast<float>(low), top), data_type(def.type));
}

Value* zeros(Builder& b, const TensorDef& def) {
  uint64_t count = 1;
  for (const int64_t size : def.shape) {
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(size), &count)) count = UINT64_MAX;
    if (count > kMaxStateElements) break;
  }
  if (count > kMaxStateElements || data_type(def.type) == DataType::kInvalid ||
      def.type == Element::kString) {
    return b.fail(base::str_cat("the state '", def.name, "' is too large or of type ",
                                element_name(def.type)));
  }
  const size_t bytes = count * tensor::element_size(data_type(def.type));
  auto content = std::make_shared<std::string>(bytes, '\0');
  if (is_quantised(def) && bytes == count) {
    std::fill(content->begin(), content->end(), static_cast<char>(first_zero_point(def)));
  }
  const std::string_view view = *content;
  return b.constant(Constant(data_type(def.type), def.shape, view, content), def.name);
}

}  // namespace

bool is_quantised(const TensorDef& def) {
  switch (def.type) {
    case Element::kInt8:
    case Element::kUint8:
    case Element::kInt16:
    case Element::kInt4:
      return def.quantisation.present() || def.quantisation.special;
    default:
      return false;
  }
}

bool is_per_axis(const TensorDef& def) { return def.quantisation.scales.size() > 1; }

float first_scale(const TensorDef& def) {
  return def.quantisation.present() ? def.quantisation.scales[0] : 1.0F;
}

int64_t first_zero_point(const TensorDef& def) { return zero_point(def, 0); }

bool same_scale(const TensorDef& a, const TensorDef& b) {
  if (is_quantised(a) != is_quantised(b)) return false;
  if (!is_quantised(a)) return true;
  return a.type == b.type && !is_per_axis(a) && !is_per_axis(b) &&
         first_scale(a) == first_scale(b) && first_zero_point(a) == first_zero_point(b);
}

std::pair<int64_t, int64_t> stored_range(const TensorDef& def) {
  switch (def.type) {
    case Element::kUint8:
      return {0, 255};
    case Element::kInt16:
      return {-32768, 32767};
    case Element::kInt4:
      return {-8, 7};
    case Element::kInt32:
      return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
    default:
      return {-128, 127};
  }
}

Value* dequantise(Builder& b, Value* stored, const TensorDef& def, int64_t axis) {
  if (def.quantisation.special || !def.quantisation.present()) {
    return b.fail(base::str_cat("tensor '", def.name, "' is quantised in a way that is not read"));
  }
  if (!scales_fit(def)) {
    return b.fail(base::str_cat("tensor '", def.name, "' has a broken scale or zero point"));
  }
  if (!in_target(def.type)) return dequantise_by_hand(b, stored, def);
  if (is_per_axis(def)) {
    const auto count = static_cast<int64_t>(def.quantisation.scales.size());
    if (axis < 0 || axis >= static_cast<int64_t>(stored->rank()) ||
        !(stored->dims()[axis] == Dim(count))) {
      return b.fail(base::str_cat("tensor '", def.name, "' has ", count, " scales along axis ",
                                  axis, ", whose size is not that"));
    }
  }
  return b.dequantize(stored, scale_value(b, def), zero_point_value(b, def), axis);
}

Value* quantise(Builder& b, Value* real, const TensorDef& def) {
  if (def.quantisation.special || !scales_fit(def) || is_per_axis(def) ||
      !def.quantisation.present()) {
    return b.fail(base::str_cat("result '", def.name, "' has no single scale to quantise it with"));
  }
  if (def.type == Element::kInt4 || !in_target(def.type)) return quantise_by_hand(b, real, def);
  return b.quantize(real, scale_value(b, def), zero_point_value(b, def));
}

Value* from_file(Builder& b, Value* stored, const TensorDef& def) {
  if (!def.shifted || stored->poison) return stored;
  return quantise(b, dequantise(b, stored, as_in_file(def)), def);
}

Value* to_file(Builder& b, Value* stored, const TensorDef& def) {
  if (!def.shifted || stored->poison) return stored;
  return quantise(b, dequantise(b, stored, def), as_in_file(def));
}

Value* Scope::stored(Builder& b, int32_t number) {
  Slot& slot = slots_[number];
  if (slot.stored != nullptr) return slot.stored;
  const TensorDef& def = graph_->tensors[number];
  const bool empty = std::find(def.shape.begin(), def.shape.end(), 0) != def.shape.end();
  if (def.constant || (empty && !def.variable)) {
    slot.stored = constant_of(b, def, session_->owner);
  } else if (def.variable) {
    slot.stored = state(b, number);
  } else {
    return b.fail(base::str_cat("reads tensor ", number, " '", def.name.substr(0, 128),
                                "' before anything sets it"));
  }
  return slot.stored;
}

Value* Scope::state(Builder& b, int32_t number) {
  const TensorDef& def = graph_->tensors[number];
  if (session_->state == nullptr) {
    session_->notes.insert(std::string(kStateNote));
    return zeros(b, def);
  }
  if (session_->depth > 0) {
    return b.fail(base::str_cat("the state '", def.name.substr(0, 128),
                                "' inside IF or WHILE is not supported with state=tensors"));
  }
  const TensorDef outside = tflite::as_in_file(def);
  Value* start = zeros(b, outside);
  if (start->poison) return start;
  std::string name = session_->names.give(def, "state", static_cast<size_t>(number));
  if (is_quantised(outside)) note_start(*session_, name, start);
  Value* value = session_->state->input(name, start->type);
  session_->state_tensors.push_back({number, std::move(name)});
  return from_file(b, value, def);
}

void note_start(Session& session, std::string_view name, const Value* value) {
  const std::vector<double> numbers =
      value->constant ? value->constant->numbers() : std::vector<double>();
  const bool even =
      !numbers.empty() && std::all_of(numbers.begin(), numbers.end(),
                                      [&](double number) { return number == numbers.front(); });
  if (even && numbers.front() == 0) return;
  session.notes.insert(even ? base::str_cat("'", name, "' starts at ", numbers.front())
                            : base::str_cat("'", name, "' starts with numbers of the file"));
}

// An INT8 constant among activations, which are UINT8: the runtime's kernels want one type.
Value* dequantise_shifted(Builder& b, Value* stored, const TensorDef& def) {
  constexpr int64_t kMaxShifted = 1 << 20;
  if (!stored->constant || is_per_axis(def) || stored->constant->count() > kMaxShifted ||
      !scales_fit(def)) {
    return dequantise(b, stored, def, def.quantisation.axis);
  }
  std::vector<uint8_t> content;
  for (const char byte : stored->constant->bytes()) {
    content.push_back(static_cast<uint8_t>(byte) ^ 0x80U);
  }
  TensorDef shifted = def;
  shifted.type = Element::kUint8;
  shifted.shifted = true;
  Value* moved =
      b.constant(Constant::of<uint8_t>(DataType::kUint8, stored->constant->shape(), content));
  return dequantise(b, moved, shifted);
}

Value* Scope::real(Builder& b, int32_t number) {
  Value* stored_value = stored(b, number);
  const TensorDef& def = graph_->tensors[number];
  if (stored_value->poison) return stored_value;
  if (def.type == Element::kFloat16 || def.type == Element::kBfloat16) {
    return b.cast(stored_value, DataType::kFp32);
  }
  if (!is_quantised(def)) return stored_value;
  Slot& slot = slots_[number];
  if (slot.real == nullptr) {
    slot.real = def.constant && def.type == Element::kInt8
                    ? dequantise_shifted(b, stored_value, def)
                    : dequantise(b, stored_value, def, def.quantisation.axis);
  }
  return slot.real;
}

const TensorDef& Context::in_def(size_t i) const {
  static const TensorDef nothing;
  return has(i) ? scope_.graph().tensors[op_.inputs[i]] : nothing;
}

const TensorDef& Context::out_def(size_t i) const {
  static const TensorDef nothing;
  return known(i) ? scope_.graph().tensors[op_.outputs[i]] : nothing;
}

Value* Context::in(size_t i) {
  if (!has(i)) return b.fail(base::str_cat("input ", i, " is missing"));
  return scope_.real(b, op_.inputs[i]);
}

Value* Context::stored(size_t i) {
  if (!has(i)) return b.fail(base::str_cat("input ", i, " is missing"));
  return scope_.stored(b, op_.inputs[i]);
}

Value* Context::as_in_file(size_t i) {
  Value* value = stored(i);
  return to_file(b, value, in_def(i));
}

Value* Context::imaginary(size_t i) {
  Value* part = has(i) ? scope_.imaginary(op_.inputs[i]) : nullptr;
  return part != nullptr ? part : b.fail("the input is not complex");
}

std::optional<size_t> Context::rank(size_t i) {
  const Value* value = stored(i);
  if (value->poison) return std::nullopt;
  if (value->type.rank_known) return value->rank();
  b.fail(base::str_cat("the number of axes of '", in_def(i).name, "' is not known"));
  return std::nullopt;
}

std::optional<std::vector<int64_t>> Context::ints(size_t i) {
  const Value* value = stored(i);
  if (value->poison) return std::nullopt;
  if (value->constant) {
    auto numbers = value->constant->integers();
    if (static_cast<int64_t>(numbers.size()) == value->constant->count()) return numbers;
  }
  if (value->elements) return graph::constant_dims(*value->elements);
  return std::nullopt;
}

std::optional<std::vector<int64_t>> Context::need_ints(size_t i, std::string_view what) {
  auto numbers = ints(i);
  if (!numbers) b.fail(base::str_cat("the ", what, " must be constant"));
  return numbers;
}

std::optional<Dims> Context::sizes(size_t i) {
  const Value* value = stored(i);
  if (value->elements) return value->elements;
  const auto numbers = ints(i);
  return numbers ? std::optional<Dims>(graph::to_dims(*numbers)) : std::nullopt;
}

Value* Context::int64s(size_t i) { return b.cast(stored(i), DataType::kInt64); }

Value* Context::in_transposed(size_t i, const std::vector<int64_t>& permutation) {
  const auto axes = rank(i);
  if (!axes) return stored(i);
  if (*axes != permutation.size()) {
    return b.fail(
        base::str_cat("'", in_def(i).name, "' has ", *axes, " axes, not ", permutation.size()));
  }
  const TensorDef& def = in_def(i);
  if (!is_quantised(def)) return b.transpose(in(i), permutation);
  const auto at = std::find(permutation.begin(), permutation.end(), def.quantisation.axis);
  return dequantise(b, b.transpose(stored(i), permutation), def, at - permutation.begin());
}

Value* Context::in_reshaped(size_t i, const Dims& dims) {
  const TensorDef& def = in_def(i);
  if (!is_quantised(def) || is_per_axis(def)) return b.reshape(in(i), dims);
  return dequantise(b, b.reshape(stored(i), dims), def);
}

Value* Context::widened(Value* x) {
  switch (x->type.data_type) {
    case DataType::kBool:
    case DataType::kInt8:
    case DataType::kUint8:
    case DataType::kInt16:
    case DataType::kUint16:
      return b.cast(x, DataType::kInt32);
    case DataType::kUint32:
      return b.cast(x, DataType::kInt64);
    case DataType::kFp16:
    case DataType::kBf16:
      return b.cast(x, DataType::kFp32);
    default:
      return x;
  }
}

Value* Context::weights(size_t i, const std::vector<int64_t>& permutation, int64_t channel) {
  const TensorDef& def = in_def(i);
  const auto axes = rank(i);
  if (!axes) return stored(i);
  if (*axes != permutation.size()) {
    return b.fail(base::str_cat("the weights '", def.name, "' have ", *axes, " axes, not ",
                                permutation.size()));
  }
  if (!is_quantised(def)) return b.transpose(in(i), permutation);
  const auto at = std::find(permutation.begin(), permutation.end(), channel);
  return dequantise(b, b.transpose(stored(i), permutation), def, at - permutation.begin());
}

Value* Context::bias(size_t i, size_t x, size_t w) {
  if (!has(i)) return nullptr;
  const DataType type = data_type(in_def(i).type);
  if (type != DataType::kInt32 && type != DataType::kInt64) return in(i);
  const TensorDef& input = in_def(x);
  const TensorDef& filter = in_def(w);
  if (!is_quantised(input) || !is_quantised(filter) || !scales_fit(input) || !scales_fit(filter)) {
    return b.fail(base::str_cat("the bias '", in_def(i).name,
                                "' is of integers, but what it is added to is not"));
  }
  std::vector<float> scales = filter.quantisation.scales.copy();
  for (float& scale : scales) scale *= first_scale(input);
  const bool several = scales.size() > 1;
  std::vector<int64_t> shape;
  if (several) shape.push_back(static_cast<int64_t>(scales.size()));
  Value* scale = b.constant(Constant::floats(shape, scales));
  if (type == DataType::kInt32 && in_target(input.type)) {
    return b.dequantize(stored(i), scale, nullptr, 0);
  }
  return b.mul(b.cast(stored(i), DataType::kFp32), scale);
}

Value* activated(Builder& b, Value* x, Activation activation) {
  const auto scalar_like = [&](const Value* like, double value) {
    return b.scalar_of(like->type.data_type, value);
  };
  const bool real = x->type.data_type == DataType::kFp32;
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return real ? b.op("Relu", {x}) : b.op("Max", {x, scalar_like(x, 0)});
    case Activation::kReluN1To1:
      return b.op("Clip", {x, scalar_like(x, -1), scalar_like(x, 1)});
    case Activation::kRelu6:
      return b.op("Clip", {x, scalar_like(x, 0), scalar_like(x, 6)});
    case Activation::kTanh:
      return b.op("Tanh", {x});
    default:
      return b.fail(
          base::str_cat("fused activation ", static_cast<int>(activation), " is not supported"));
  }
}

std::pair<int64_t, int64_t> clamped_range(const TensorDef& def, Activation activation) {
  const auto [lowest, highest] = stored_range(def);
  const auto as_stored = [&def, lowest = lowest, highest = highest](double value) {
    const double number =
        std::round(value / first_scale(def)) + static_cast<double>(first_zero_point(def));
    return static_cast<int64_t>(
        std::clamp(number, static_cast<double>(lowest), static_cast<double>(highest)));
  };
  switch (activation) {
    case Activation::kRelu:
      return {as_stored(0), highest};
    case Activation::kRelu6:
      return {as_stored(0), as_stored(6)};
    case Activation::kReluN1To1:
      return {as_stored(-1), as_stored(1)};
    default:
      return {lowest, highest};
  }
}

Value* Context::finish(size_t i, Value* real, Activation activation) {
  const TensorDef& def = out_def(i);
  if (!is_quantised(def)) {
    Value* value = activate(real, activation);
    const DataType type = data_type(def.type);
    return type == DataType::kInvalid || type == DataType::kBytes ? value : b.cast(value, type);
  }
  if (activation == Activation::kNone) return quantise(b, real, def);
  const bool clamps = activation != Activation::kTanh && activation != Activation::kSignBit;
  if (!clamps || def.type == Element::kInt16) return quantise(b, activate(real, activation), def);
  // Clamped as stored, where most often nothing is left to do: the type ends there anyway.
  const auto [lowest, highest] = stored_range(def);
  const auto [low, high] = clamped_range(def, activation);
  Value* value = quantise(b, real, def);
  if (low == lowest && high == highest) return value;
  return b.op("Clip", {value, b.scalar_of(data_type(def.type), static_cast<double>(low)),
                       b.scalar_of(data_type(def.type), static_cast<double>(high))});
}

void Context::out_activated(size_t i, Value* real, Activation activation) {
  if (!known(i)) return;
  scope_.set(op_.outputs[i], finish(i, real, activation));
}

void Context::out_transposed(size_t i, Value* real, Activation activation,
                             const std::vector<int64_t>& permutation) {
  if (!known(i)) return;
  scope_.set(op_.outputs[i], b.transpose(finish(i, real, activation), permutation));
}

void Context::out_stored(size_t i, Value* stored) {
  if (!known(i)) return;
  const DataType type = data_type(out_def(i).type);
  const bool plain = type != DataType::kInvalid && type != DataType::kBytes && !stored->poison;
  scope_.set(op_.outputs[i], plain ? b.cast(stored, type) : stored);
}

void Context::out_from_file(size_t i, Value* stored) {
  const TensorDef def = tflite::as_in_file(out_def(i));
  if (out_def(i).shifted && !stored->poison) stored = b.cast(stored, data_type(def.type));
  out_stored(i, from_file(b, stored, out_def(i)));
}

void Context::set_state(size_t i, Value* real) {
  if (!has(i) || !in_def(i).variable || real->poison) return;
  const TensorDef& def = in_def(i);
  const bool rounds = is_quantised(def);
  scope_.set(op_.inputs[i], rounds ? quantise(b, real, def) : b.cast(real, data_type(def.type)));
}

void Context::out_complex(size_t i, Value* real, Value* imaginary) {
  if (known(i)) scope_.set_complex(op_.outputs[i], real, imaginary);
}

std::optional<int64_t> Context::axis(int64_t axis, size_t rank) {
  const auto axes = static_cast<int64_t>(rank);
  if (axis < -axes || axis >= axes) {
    b.fail(base::str_cat("axis ", axis, " of a tensor with ", axes, " axes"));
    return std::nullopt;
  }
  return axis < 0 ? axis + axes : axis;
}

}  // namespace supernova::import::tflite
