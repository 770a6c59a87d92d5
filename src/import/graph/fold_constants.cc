// Operators over known tensors: layout, type and arithmetic changes of weights.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "import/graph/deferred.h"
#include "import/graph/fold.h"
#include "import/graph/infer.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

// What moves weights may be as large as they are; what makes data out of little may not.
constexpr int64_t kMaxMoved = int64_t{1} << 29U;
constexpr int64_t kMaxMade = int64_t{1} << 20U;

using Sizes = std::vector<int64_t>;

const Constant& in(const Node& node, size_t i) { return *node.inputs[i]->constant; }

Sizes strides_of(const Sizes& shape) {
  Sizes out(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i > 0; --i) {
    out[i - 1] = stride;
    stride *= shape[i - 1];
  }
  return out;
}

Constant from_bytes(DataType type, Sizes shape, std::string bytes) {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  const std::string_view view = *owner;
  return Constant(type, std::move(shape), view, std::move(owner));
}

std::optional<Constant> transposed(const Node& node, const Sizes& shape) {
  const Constant& x = in(node, 0);
  Sizes order;
  for (size_t i = x.shape().size(); i > 0; --i) order.push_back(static_cast<int64_t>(i) - 1);
  order = node.ints_or("perm", order);
  const Sizes from = strides_of(x.shape());
  Sizes strides;
  for (const int64_t axis : order) strides.push_back(from[static_cast<size_t>(axis)]);
  return Constant::rearranged(x, shape, strides, 0);
}

std::optional<Constant> expanded(const Node& node, const Sizes& shape) {
  const Constant& x = in(node, 0);
  const Sizes from = strides_of(x.shape());
  Sizes strides(shape.size(), 0);
  const size_t offset = shape.size() - x.shape().size();
  for (size_t i = 0; i < from.size(); ++i) {
    if (x.shape()[i] != 1) strides[i + offset] = from[i];
  }
  return Constant::rearranged(x, shape, strides, 0);
}

std::optional<Constant> sliced(const Node& node, const Sizes& shape) {
  const Constant& x = in(node, 0);
  const Sizes starts = in(node, 1).integers();
  Sizes axes;
  if (node.inputs.size() > 3 && node.inputs[3] != nullptr) {
    axes = in(node, 3).integers();
  } else {
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  Sizes steps(starts.size(), 1);
  if (node.inputs.size() > 4 && node.inputs[4] != nullptr) steps = in(node, 4).integers();
  const Sizes from = strides_of(x.shape());
  Sizes strides = from;
  int64_t start = 0;
  const auto rank = static_cast<int64_t>(x.shape().size());
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + rank : axes[i]);
    const int64_t size = x.shape()[axis];
    if (shape[axis] == 0) continue;
    int64_t first = starts[i] < -size ? -size : starts[i];
    if (first < 0) first += size;
    first = std::clamp(first, int64_t{0}, size - 1);
    start += first * from[axis];
    if (shape[axis] > 1) strides[axis] = from[axis] * steps[i];
  }
  return Constant::rearranged(x, shape, strides, start);
}

std::optional<Constant> concatenated(const Node& node, const Sizes& shape) {
  int64_t axis = node.int_or("axis", 0);
  if (axis < 0) axis += static_cast<int64_t>(shape.size());
  const DataType type = in(node, 0).type();
  const size_t size = tensor::element_size(type);
  size_t outer = 1;
  for (int64_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(shape[static_cast<size_t>(i)]);
  std::string out;
  for (size_t i = 0; i < outer; ++i) {
    for (size_t j = 0; j < node.inputs.size(); ++j) {
      const std::string_view bytes = in(node, j).bytes();
      const size_t block = bytes.size() / outer;
      out += bytes.substr(i * block, block);
    }
  }
  if (size == 0) return std::nullopt;
  return from_bytes(type, shape, std::move(out));
}

std::optional<Constant> gathered(const Node& node, const Sizes& shape) {
  const Constant& x = in(node, 0);
  int64_t axis = node.int_or("axis", 0);
  if (axis < 0) axis += static_cast<int64_t>(x.shape().size());
  size_t outer = 1;
  for (int64_t i = 0; i < axis; ++i) {
    outer *= static_cast<size_t>(x.shape()[static_cast<size_t>(i)]);
  }
  const int64_t size = x.shape()[static_cast<size_t>(axis)];
  if (size == 0) return std::nullopt;
  const size_t block = x.byte_size() / outer / static_cast<size_t>(size);
  std::string out;
  const Sizes indices = in(node, 1).integers();
  for (size_t i = 0; i < outer; ++i) {
    for (int64_t index : indices) {
      if (index < -size || index >= size) return std::nullopt;
      if (index < 0) index += size;
      out += x.bytes().substr((i * static_cast<size_t>(size) + static_cast<size_t>(index)) * block,
                              block);
    }
  }
  return from_bytes(x.type(), shape, std::move(out));
}

template <typename From, typename To>
std::vector<To> narrowed(const std::vector<From>& values) {
  std::vector<To> out;
  out.reserve(values.size());
  for (const From value : values) {
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
      // Beyond the range the conversion is undefined; saturate.
      constexpr auto kLow = static_cast<double>(std::numeric_limits<To>::min());
      constexpr auto kHigh = static_cast<double>(std::numeric_limits<To>::max());
      if (std::isnan(value)) {
        out.push_back(0);
      } else if (value <= kLow) {
        out.push_back(std::numeric_limits<To>::min());
      } else if (value >= kHigh) {
        out.push_back(std::numeric_limits<To>::max());
      } else {
        out.push_back(static_cast<To>(value));
      }
    } else {
      out.push_back(static_cast<To>(value));
    }
  }
  return out;
}

template <typename To>
Constant cast_to(const Constant& x, DataType type, const Sizes& shape) {
  const bool whole = x.type() != DataType::kFp16 && x.type() != DataType::kBf16 &&
                     x.type() != DataType::kFp32 && x.type() != DataType::kFp64;
  return whole ? Constant::of(type, shape, narrowed<int64_t, To>(x.integers()))
               : Constant::of(type, shape, narrowed<double, To>(x.numbers()));
}

std::optional<Constant> cast(const Constant& x, DataType type, const Sizes& shape) {
  if (x.type() == type) return x;
  switch (type) {
    case DataType::kFp32:
      if (x.type() == DataType::kFp16) return x.widened();
      return cast_to<float>(x, type, shape);
    case DataType::kFp64:
      return cast_to<double>(x, type, shape);
    case DataType::kInt64:
      return cast_to<int64_t>(x, type, shape);
    case DataType::kInt32:
      return cast_to<int32_t>(x, type, shape);
    case DataType::kBool: {
      std::vector<uint8_t> out;
      for (const double value : x.numbers()) out.push_back(value != 0 ? 1 : 0);
      return Constant::of(type, shape, out);
    }
    case DataType::kInt8:
    case DataType::kUint8:
      // Integers only: what a float beyond the range becomes is the target's matter.
      if (x.integers().empty()) return std::nullopt;
      return type == DataType::kInt8 ? cast_to<int8_t>(x, type, shape)
                                     : cast_to<uint8_t>(x, type, shape);
    default:
      return std::nullopt;
  }
}

// Offsets of an operand's elements as the result's elements need them.
Sizes operand_strides(const Constant& x, const Sizes& shape) {
  const Sizes from = strides_of(x.shape());
  Sizes out(shape.size(), 0);
  const size_t offset = shape.size() - x.shape().size();
  for (size_t i = 0; i < from.size(); ++i) {
    if (x.shape()[i] != 1) out[i + offset] = from[i];
  }
  return out;
}

template <typename T, typename Result, typename Operation>
std::vector<Result> combine(const Node& node, const Sizes& shape, Operation operation) {
  const std::vector<T> a = in(node, 0).values<T>();
  const std::vector<T> b = in(node, 1).values<T>();
  std::vector<Result> out;
  std::vector<int64_t> left;
  walk(shape, operand_strides(in(node, 0), shape), 0,
       [&](int64_t offset) { left.push_back(offset); });
  out.reserve(left.size());
  size_t i = 0;
  walk(shape, operand_strides(in(node, 1), shape), 0, [&](int64_t offset) {
    out.push_back(static_cast<Result>(
        operation(a[static_cast<size_t>(left[i++])], b[static_cast<size_t>(offset)])));
  });
  return out;
}

// Wraps around instead of undefined overflow, as the runtime's integers do.
template <typename T, typename Operation>
T wrapping(T a, T b, Operation operation) {
  if constexpr (std::is_integral_v<T>) {
    using Unsigned = std::make_unsigned_t<T>;
    return static_cast<T>(operation(static_cast<Unsigned>(a), static_cast<Unsigned>(b)));
  } else {
    return operation(a, b);
  }
}

// With the sign of the divisor.
template <typename T>
std::optional<std::vector<T>> remainder(const Node& node, const Sizes& shape) {
  for (const T by : in(node, 1).values<T>()) {
    if (by == 0 || by == static_cast<T>(-1)) return std::nullopt;
  }
  return combine<T, T>(node, shape, [](T a, T b) {
    const T rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
  });
}

template <typename T>
std::optional<std::vector<T>> arithmetic(const Node& node, const Sizes& shape) {
  const std::string& op = node.op;
  if (op == "Add") {
    return combine<T, T>(node, shape, [](T a, T b) { return wrapping(a, b, std::plus<>()); });
  }
  if (op == "Sub") {
    return combine<T, T>(node, shape, [](T a, T b) { return wrapping(a, b, std::minus<>()); });
  }
  if (op == "Mul") {
    return combine<T, T>(node, shape, [](T a, T b) { return wrapping(a, b, std::multiplies<>()); });
  }
  if (op == "Max") return combine<T, T>(node, shape, [](T a, T b) { return std::max(a, b); });
  if (op == "Min") return combine<T, T>(node, shape, [](T a, T b) { return std::min(a, b); });
  if (op == "Div") {
    if constexpr (std::is_integral_v<T>) {
      for (const T by : in(node, 1).values<T>()) {
        if (by == 0 || by == static_cast<T>(-1)) return std::nullopt;
      }
    }
    return combine<T, T>(node, shape, [](T a, T b) { return a / b; });
  }
  if constexpr (std::is_integral_v<T>) {
    if (op == "Mod" && node.attributes.empty()) return remainder<T>(node, shape);
  }
  return std::nullopt;
}

template <typename T>
std::optional<std::vector<uint8_t>> comparison(const Node& node, const Sizes& shape) {
  const std::string& op = node.op;
  auto with = [&](auto compare) { return combine<T, uint8_t>(node, shape, compare); };
  if (op == "Equal") return with(std::equal_to<>());
  if (op == "Less") return with(std::less<>());
  if (op == "LessOrEqual") return with(std::less_equal<>());
  if (op == "Greater") return with(std::greater<>());
  if (op == "GreaterOrEqual") return with(std::greater_equal<>());
  return std::nullopt;
}

template <typename T>
std::optional<Constant> binary_as(const Node& node, const Sizes& shape) {
  if (auto values = arithmetic<T>(node, shape)) {
    return Constant::of(in(node, 0).type(), shape, *values);
  }
  if (auto values = comparison<T>(node, shape)) {
    return Constant::of(DataType::kBool, shape, *values);
  }
  return std::nullopt;
}

std::optional<Constant> binary(const Node& node, const Sizes& shape) {
  if (node.inputs.size() != 2) return std::nullopt;
  switch (in(node, 0).type()) {
    case DataType::kFp32:
      return binary_as<float>(node, shape);
    case DataType::kFp64:
      return binary_as<double>(node, shape);
    case DataType::kInt64:
      return binary_as<int64_t>(node, shape);
    case DataType::kInt32:
      return binary_as<int32_t>(node, shape);
    default:
      return std::nullopt;
  }
}

template <typename T>
std::optional<Constant> unary_as(const Node& node, const Sizes& shape) {
  using Function = T (*)(T);
  static const std::map<std::string_view, Function> kFunctions = [] {
    std::map<std::string_view, Function> out;
    out["Abs"] = [](T x) { return x < 0 ? wrapping<T>(0, x, std::minus<>()) : x; };
    out["Neg"] = [](T x) { return wrapping<T>(0, x, std::minus<>()); };
    out["Relu"] = [](T x) { return x > 0 ? x : T{0}; };
    if constexpr (std::is_floating_point_v<T>) {
      out["Neg"] = [](T x) { return -x; };
      out["Sqrt"] = [](T x) { return std::sqrt(x); };
      out["Reciprocal"] = [](T x) { return 1 / x; };
      out["Exp"] = [](T x) { return std::exp(x); };
      out["Log"] = [](T x) { return std::log(x); };
      out["Floor"] = [](T x) { return std::floor(x); };
      out["Ceil"] = [](T x) { return std::ceil(x); };
    }
    return out;
  }();
  const auto at = kFunctions.find(node.op);
  if (at == kFunctions.end()) return std::nullopt;
  std::vector<T> values = in(node, 0).values<T>();
  for (T& value : values) value = at->second(value);
  return Constant::of(in(node, 0).type(), shape, values);
}

std::optional<Constant> unary(const Node& node, const Sizes& shape) {
  switch (in(node, 0).type()) {
    case DataType::kFp32:
      return unary_as<float>(node, shape);
    case DataType::kFp64:
      return unary_as<double>(node, shape);
    case DataType::kInt64:
      return unary_as<int64_t>(node, shape);
    case DataType::kInt32:
      return unary_as<int32_t>(node, shape);
    default:
      return std::nullopt;
  }
}

std::optional<Constant> filled(const Node& node, const Sizes& shape) {
  const Attribute* attribute = node.find("value");
  const Constant* value = attribute != nullptr ? std::get_if<Constant>(attribute) : nullptr;
  const Constant one = value != nullptr ? *value : Constant::floats({1}, {0.0F});
  if (one.count() != 1 || one.type() == DataType::kBytes) return std::nullopt;
  return Constant::rearranged(one, shape, Sizes(shape.size(), 0), 0);
}

std::optional<Constant> ranged(const Node& node, const Sizes& shape) {
  const Constant& start = in(node, 0);
  if (start.integers().size() != 1 || start.type() == DataType::kBool) return std::nullopt;
  std::vector<int64_t> out;
  const int64_t step = in(node, 2).integers()[0];
  for (int64_t i = 0; i < shape[0]; ++i) out.push_back(start.integers()[0] + i * step);
  return cast(Constant::int64s(out), start.type(), shape);
}

std::optional<Constant> selected(const Node& node, const Sizes& shape) {
  const Constant& yes = in(node, 1);
  const size_t size = tensor::element_size(yes.type());
  if (size == 0) return std::nullopt;
  std::vector<bool> flags;
  const std::string_view condition = in(node, 0).bytes();
  walk(shape, operand_strides(in(node, 0), shape), 0,
       [&](int64_t offset) { flags.push_back(condition[static_cast<size_t>(offset)] != 0); });
  const Constant a = Constant::rearranged(yes, shape, operand_strides(yes, shape), 0);
  const Constant b =
      Constant::rearranged(in(node, 2), shape, operand_strides(in(node, 2), shape), 0);
  std::string out(a.bytes());
  for (size_t i = 0; i < flags.size(); ++i) {
    if (!flags[i]) std::memcpy(out.data() + i * size, b.bytes().data() + i * size, size);
  }
  return from_bytes(yes.type(), shape, std::move(out));
}

std::optional<Constant> evaluate(const Node& node, const Sizes& shape, int64_t count) {
  const std::string& op = node.op;
  const Constant& x = in(node, 0);
  if (op == "Identity" || op == "Reshape" || op == "Squeeze" || op == "Unsqueeze" ||
      op == "Flatten") {
    if (x.count() != count) return std::nullopt;
    return x.reshaped(shape);
  }
  if (x.type() == DataType::kBytes) return std::nullopt;
  if (op == "Transpose") return transposed(node, shape);
  if (op == "Slice") return sliced(node, shape);
  if (op == "Concat") return concatenated(node, shape);
  if (op == "Gather") return gathered(node, shape);
  if (op == "Cast") return cast(x, node.outputs[0]->type.data_type, shape);
  if (auto out = unary(node, shape)) return out;
  // The rest may make much of little.
  if (count > kMaxMade && count > 4 * x.count()) return std::nullopt;
  if (op == "Expand") return expanded(node, shape);
  if (op == "ConstantOfShape") return filled(node, shape);
  if (op == "Range") return ranged(node, shape);
  if (op == "Where") return selected(node, shape);
  return binary(node, shape);
}

}  // namespace

bool fold_constants(const Node& node) {
  if (node.inputs.empty() || node.outputs.size() != 1 || !node.domain.empty()) return false;
  for (const Value* value : node.inputs) {
    if (value != nullptr && !value->constant) return false;
  }
  Value& out = *node.outputs[0];
  const auto shape = constant_dims(out.dims());
  if (node.inputs[0] == nullptr || !out.type.rank_known || !shape) return false;
  int64_t count = 1;
  for (const int64_t size : *shape) {
    if (size < 0 || __builtin_mul_overflow(count, size, &count) || count > kMaxMoved) return false;
  }
  auto content = evaluate(node, *shape, count);
  if (!content) return false;
  out.constant = std::move(content);
  return true;
}

bool fold(Model& /*model*/, const Node& node) {
  return node.domain.empty() && (fold_sizes(node) || fold_constants(node));
}

}  // namespace supernova::import::graph
