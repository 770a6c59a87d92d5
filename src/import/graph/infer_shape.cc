// Operators that change a tensor's shape or order, not its elements.
#include <algorithm>

#include "import/graph/infer_table.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

base::Status unknown_result(Inference& node, size_t output = 0) {
  node.set_unknown(output, node.data_type(0));
  return absl::OkStatus();
}

base::Status reshape(Inference& node) {
  const auto wanted = node.elements(1);
  if (!wanted) {
    // At least the number of axes is often known.
    if (node.rank_known(1) && node.dims(1).size() == 1 && node.dims(1)[0].is_constant()) {
      const int64_t rank = *node.dims(1)[0].constant();
      if (rank < 0 || rank > 32) return absl::InvalidArgumentError("Reshape to too many axes");
      node.set(0, node.data_type(0), Inference::unknown_dims(static_cast<size_t>(rank)));
      return absl::OkStatus();
    }
    return unknown_result(node);
  }
  const bool copy_zero = node.node().int_or("allowzero", 0) == 0;
  Dims out;
  int inferred = -1;
  for (size_t i = 0; i < wanted->size(); ++i) {
    const Dim& size = (*wanted)[i];
    if (size == Dim(-1)) {
      if (inferred >= 0) return absl::InvalidArgumentError("Reshape with two sizes left open");
      inferred = static_cast<int>(i);
      out.emplace_back(1);
    } else if (size == Dim(0) && copy_zero) {
      if (!node.rank_known(0)) {
        out.push_back(Model::fresh_dim());
      } else if (i >= node.dims(0).size()) {
        return absl::InvalidArgumentError("Reshape copies a size that the input doesn't have");
      } else {
        out.push_back(node.dims(0)[i]);
      }
    } else {
      out.push_back(size);
    }
  }
  if (!node.rank_known(0)) {
    if (inferred >= 0) out[static_cast<size_t>(inferred)] = Model::fresh_dim();
    node.set(0, node.data_type(0), std::move(out));
    return absl::OkStatus();
  }
  const Dim have = product(node.dims(0));
  const Dim made = product(out);
  const auto whole = exact_div(have, made);
  if (inferred >= 0) {
    if (have.is_constant() && made.is_constant() && !whole) {
      return absl::InvalidArgumentError(base::str_cat("Reshape of ", to_string(node.dims(0)),
                                                      " to ", to_string(*wanted),
                                                      ": the element counts differ"));
    }
    out[static_cast<size_t>(inferred)] = whole.value_or(Model::fresh_dim());
  } else if (have.is_constant() && made.is_constant() && !(have == made)) {
    return absl::InvalidArgumentError(base::str_cat("Reshape of ", to_string(node.dims(0)), " to ",
                                                    to_string(*wanted),
                                                    ": the element counts differ"));
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status transpose(Inference& node) {
  if (!node.rank_known(0)) return unknown_result(node);
  const size_t rank = node.dims(0).size();
  std::vector<int64_t> reversed;
  for (size_t i = rank; i > 0; --i) reversed.push_back(static_cast<int64_t>(i) - 1);
  const std::vector<int64_t> order = node.node().ints_or("perm", reversed);
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::reverse(reversed.begin(), reversed.end());
  if (sorted != reversed) {
    return absl::InvalidArgumentError(base::str_cat("Transpose of a tensor with ", rank,
                                                    " axes by [", base::str_join(order, ","), "]"));
  }
  Dims out;
  for (const int64_t axis : order) out.push_back(node.dims(0)[static_cast<size_t>(axis)]);
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status flatten(Inference& node) {
  if (!node.rank_known(0)) {
    node.set(0, node.data_type(0), Inference::unknown_dims(2));
    return absl::OkStatus();
  }
  const Dims& dims = node.dims(0);
  int64_t axis = node.node().int_or("axis", 1);
  const auto rank = static_cast<int64_t>(dims.size());
  if (axis < -rank || axis > rank)
    return absl::InvalidArgumentError("Flatten beyond the last axis");
  if (axis < 0) axis += rank;
  const auto middle = dims.begin() + axis;
  node.set(0, node.data_type(0), {product({dims.begin(), middle}), product({middle, dims.end()})});
  return absl::OkStatus();
}

base::Result<std::vector<bool>> marked_axes(const std::vector<int64_t>& axes, size_t rank) {
  std::vector<bool> out(rank, false);
  for (const int64_t given : axes) {
    SN_ASSIGN(const size_t axis, Inference::axis(given, rank));
    if (out[axis]) return absl::InvalidArgumentError(base::str_cat("axis ", given, " twice"));
    out[axis] = true;
  }
  return out;
}

base::Status squeeze(Inference& node) {
  const auto axes = node.integers(1);
  if (!node.rank_known(0) || (node.input(1) != nullptr && !axes)) return unknown_result(node);
  const Dims& dims = node.dims(0);
  Dims out;
  if (!axes) {
    for (const Dim& dim : dims) {
      if (!dim.is_constant()) return unknown_result(node);
      if (!(dim == Dim(1))) out.push_back(dim);
    }
  } else {
    SN_ASSIGN(const std::vector<bool> marked, marked_axes(*axes, dims.size()));
    for (size_t i = 0; i < dims.size(); ++i) {
      if (!marked[i]) {
        out.push_back(dims[i]);
      } else if (dims[i].is_constant() && !(dims[i] == Dim(1))) {
        return absl::InvalidArgumentError(
            base::str_cat("Squeeze of axis ", i, " of ", to_string(dims)));
      }
    }
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status unsqueeze(Inference& node) {
  const auto axes = node.integers(1);
  if (!node.rank_known(0) || !axes) return unknown_result(node);
  const Dims& dims = node.dims(0);
  SN_ASSIGN(const std::vector<bool> marked, marked_axes(*axes, dims.size() + axes->size()));
  Dims out;
  size_t next = 0;
  for (const bool is_new : marked) out.push_back(is_new ? Dim(1) : dims[next++]);
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status concat(Inference& node) {
  size_t known = node.input_count();
  for (size_t i = 0; i < node.input_count(); ++i) {
    if (node.data_type(i) != node.data_type(0)) {
      return absl::InvalidArgumentError("Concat of tensors of different types");
    }
    if (node.rank_known(i) && known == node.input_count()) known = i;
  }
  if (known == node.input_count()) return unknown_result(node);
  Dims out = node.dims(known);
  SN_ASSIGN(const size_t axis, Inference::axis(node.node().int_or("axis", 0), out.size()));
  out[axis] = Dim(0);
  for (size_t i = 0; i < node.input_count(); ++i) {
    if (!node.rank_known(i)) {
      out[axis] = Model::fresh_dim();
      continue;
    }
    const Dims& dims = node.dims(i);
    if (dims.size() != out.size()) {
      return absl::InvalidArgumentError("Concat of tensors with different numbers of axes");
    }
    for (size_t j = 0; j < out.size(); ++j) {
      if (j == axis) {
        out[j] += dims[j];
      } else if (dims[j].is_constant() && out[j].is_constant() && !(dims[j] == out[j])) {
        return absl::InvalidArgumentError(base::str_cat("Concat along axis ", axis, " of ",
                                                        to_string(node.dims(known)), " and ",
                                                        to_string(dims)));
      } else if (dims[j].is_constant()) {
        out[j] = dims[j];
      }
    }
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

// Elements of a slice [start:end:step] of `size`, as NumPy counts them.
Dim slice_size(const Dim& size, int64_t start, int64_t end, int64_t step) {
  if (const auto known = size.constant()) {
    auto place = [&](int64_t at, int64_t low, int64_t high) {
      if (at < 0) at = at < -*known ? low : at + *known;
      return std::clamp(at, low, high);
    };
    if (step > 0) {
      const int64_t from = place(start, 0, *known);
      const int64_t to = place(end, 0, *known);
      return to > from ? (to - from - 1) / step + 1 : 0;
    }
    const int64_t from = place(start, -1, *known - 1);
    const int64_t to = place(end, -1, *known - 1);
    if (step == INT64_MIN) return from > to ? 1 : 0;
    return from > to ? (from - to - 1) / -step + 1 : 0;
  }
  constexpr int64_t kFar = int64_t{1} << 31U;
  if (step == 1 && start >= 0 && start < kFar && end >= kFar - 1) return size - Dim(start);
  if (step == 1 && start >= 0 && end < 0 && end > -kFar) return size + Dim(end) - Dim(start);
  if (step > 1 && start == 0 && end >= kFar - 1) return ceil_div(size, step);
  if (step == -1 && start == -1 && end <= -kFar) return size;
  return Model::fresh_dim();
}

base::Status slice(Inference& node) {
  if (!node.rank_known(0)) return unknown_result(node);
  Dims out = node.dims(0);
  const auto starts = node.integers(1);
  const auto ends = node.integers(2);
  auto axes = node.integers(3);
  auto steps = node.integers(4);
  if (node.input(3) != nullptr && !axes) {
    node.set(0, node.data_type(0), Inference::unknown_dims(out.size()));
    return absl::OkStatus();
  }
  const size_t count = axes ? axes->size() : starts ? starts->size() : out.size();
  if (!axes) {
    axes.emplace();
    for (size_t i = 0; i < count; ++i) axes->push_back(static_cast<int64_t>(i));
  }
  const bool known = starts && ends && (node.input(4) == nullptr || steps);
  if (!steps) steps.emplace(count, 1);
  if (known && (starts->size() != count || ends->size() != count || steps->size() != count)) {
    return absl::InvalidArgumentError("Slice with starts, ends, axes or steps of unequal number");
  }
  for (size_t i = 0; i < count; ++i) {
    SN_ASSIGN(const size_t axis, Inference::axis((*axes)[i], out.size()));
    if (known && (*steps)[i] == 0) return absl::InvalidArgumentError("Slice with step 0");
    out[axis] =
        known ? slice_size(out[axis], (*starts)[i], (*ends)[i], (*steps)[i]) : Model::fresh_dim();
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status split(Inference& node) {
  const size_t count = node.node().outputs.size();
  if (!node.rank_known(0)) {
    for (size_t i = 0; i < count; ++i) SN_TRY(unknown_result(node, i));
    return absl::OkStatus();
  }
  const Dims& dims = node.dims(0);
  SN_ASSIGN(const size_t axis, Inference::axis(node.node().int_or("axis", 0), dims.size()));
  const auto parts = node.elements(1);
  if (parts && parts->size() != count) {
    return absl::InvalidArgumentError("Split into another number of parts than it has outputs");
  }
  if (parts) {
    Dim sum;
    for (const Dim& part : *parts) sum += part;
    if (sum.is_constant() && dims[axis].is_constant() && !(sum == dims[axis])) {
      return absl::InvalidArgumentError(base::str_cat(
          "Split of ", dims[axis].to_string(), " elements into parts of ", to_string(*parts)));
    }
  }
  const auto even = exact_div(dims[axis], Dim(static_cast<int64_t>(count)));
  for (size_t i = 0; i < count; ++i) {
    Dims out = dims;
    out[axis] = parts ? (*parts)[i] : even.value_or(Model::fresh_dim());
    node.set(i, node.data_type(0), std::move(out));
  }
  return absl::OkStatus();
}

base::Status expand(Inference& node) {
  const auto wanted = node.elements(1);
  if (!wanted || !node.rank_known(0)) return unknown_result(node);
  SN_ASSIGN(Dims out, broadcast(node.dims(0), *wanted));
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status tile(Inference& node) {
  if (!node.rank_known(0)) return unknown_result(node);
  Dims out = node.dims(0);
  const auto repeats = node.elements(1);
  if (!repeats) {
    out = Inference::unknown_dims(out.size());
  } else if (repeats->size() != out.size()) {
    return absl::InvalidArgumentError(
        "Tile with another number of repeats than the tensor has axes");
  } else {
    for (size_t i = 0; i < out.size(); ++i) out[i] = out[i] * (*repeats)[i];
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status pad(Inference& node) {
  if (!node.rank_known(0)) return unknown_result(node);
  Dims out = node.dims(0);
  const auto pads = node.elements(1);
  if (!pads) {
    out = Inference::unknown_dims(out.size());
  } else if (pads->size() != 2 * out.size()) {
    return absl::InvalidArgumentError("Pad needs two numbers for each axis");
  } else {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] += (*pads)[i] + (*pads)[i + out.size()];
      if (out[i].constant().value_or(0) < 0) {
        return absl::InvalidArgumentError("Pad takes away more than there is");
      }
    }
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status shape_of(Inference& node) {
  node.set(
      0, DataType::kInt64,
      {node.rank_known(0) ? Dim(static_cast<int64_t>(node.dims(0).size())) : Model::fresh_dim()});
  return absl::OkStatus();
}

base::Status size_of(Inference& node) {
  node.set(0, DataType::kInt64, {});
  return absl::OkStatus();
}

base::Status constant_of_shape(Inference& node) {
  const Attribute* attribute = node.node().find("value");
  const Constant* value = attribute != nullptr ? std::get_if<Constant>(attribute) : nullptr;
  const DataType type = value != nullptr ? value->type() : DataType::kFp32;
  const auto dims = node.elements(0);
  if (dims) {
    node.set(0, type, *dims);
  } else {
    node.set_unknown(0, type);
  }
  return absl::OkStatus();
}

base::Status range(Inference& node) {
  Dim count = Model::fresh_dim();
  const auto start = node.elements(0);
  const auto limit = node.elements(1);
  const auto step = node.integers(2);
  if (start && limit && step && start->size() == 1 && limit->size() == 1 && step->size() == 1 &&
      step->front() != 0) {
    count = max(ceil_div(limit->front() - start->front(), step->front()), 0);
  }
  node.set(0, node.data_type(0), {count});
  return absl::OkStatus();
}

base::Status depth_to_space(Inference& node) {
  const int64_t block = node.node().int_or("blocksize", 0);
  if (block <= 0 || block > 4096) return absl::InvalidArgumentError("blocksize must be positive");
  if (!node.rank_known(0) || node.dims(0).size() != 4) return unknown_result(node);
  const Dims& dims = node.dims(0);
  const auto channels = exact_div(dims[1], Dim(block * block));
  if (!channels && dims[1].is_constant()) {
    return absl::InvalidArgumentError("the channels are no multiple of the block");
  }
  node.set(0, node.data_type(0),
           {dims[0], channels.value_or(Model::fresh_dim()), dims[2] * block, dims[3] * block});
  return absl::OkStatus();
}

base::Status space_to_depth(Inference& node) {
  const int64_t block = node.node().int_or("blocksize", 0);
  if (block <= 0 || block > 4096) return absl::InvalidArgumentError("blocksize must be positive");
  if (!node.rank_known(0) || node.dims(0).size() != 4) return unknown_result(node);
  const Dims& dims = node.dims(0);
  node.set(0, node.data_type(0),
           {dims[0], dims[1] * Dim(block * block), floor_div(dims[2], block),
            floor_div(dims[3], block)});
  return absl::OkStatus();
}

base::Status resize(Inference& node) {
  if (!node.rank_known(0)) return unknown_result(node);
  Dims out = node.dims(0);
  if (const auto sizes = node.elements(3); sizes && sizes->size() == out.size()) {
    out = *sizes;
  } else if (const Value* scales = node.input(2);
             node.input(3) == nullptr && scales != nullptr && scales->constant &&
             scales->constant->count() == static_cast<int64_t>(out.size())) {
    const std::vector<double> factors = scales->constant->numbers();
    for (size_t i = 0; i < out.size(); ++i) {
      if (factors[i] == 1.0) continue;
      const auto size = out[i].constant();
      const bool whole = factors[i] >= 1 && factors[i] < 65536 &&
                         factors[i] == static_cast<double>(static_cast<int64_t>(factors[i]));
      if (size && factors[i] > 0 && factors[i] < 65536) {
        out[i] = static_cast<int64_t>(static_cast<double>(*size) * factors[i]);
      } else {
        out[i] = whole ? out[i] * static_cast<int64_t>(factors[i]) : Model::fresh_dim();
      }
    }
  } else {
    out = Inference::unknown_dims(out.size());
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

}  // namespace

void add_shape_operators(InferTable& table) {
  table["Reshape"] = reshape;
  table["Transpose"] = transpose;
  table["Flatten"] = flatten;
  table["Squeeze"] = squeeze;
  table["Unsqueeze"] = unsqueeze;
  table["Concat"] = concat;
  table["Slice"] = slice;
  table["Split"] = split;
  table["Expand"] = expand;
  table["Tile"] = tile;
  table["Pad"] = pad;
  table["Shape"] = shape_of;
  table["Size"] = size_of;
  table["ConstantOfShape"] = constant_of_shape;
  table["Range"] = range;
  table["DepthToSpace"] = depth_to_space;
  table["SpaceToDepth"] = space_to_depth;
  table["Resize"] = resize;
}

}  // namespace supernova::import::graph
