// Convolutions, pooling, matrix products, normalisation, recurrent layers. Spatial axes come after
// batch and channels (NCHW).
#include <algorithm>

#include "import/graph/infer_table.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

constexpr int64_t kMaxWindow = int64_t{1} << 31U;

// Kernel, strides, dilations and pads of a sliding window over `spatial` axes, checked.
struct Window {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;  // all starts, then all ends
  std::string auto_pad;
  bool ceil = false;
  int64_t group = 1;

  int64_t extent(size_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
};

base::Status check_each(const std::vector<int64_t>& values, size_t count, int64_t least,
                        std::string_view what) {
  if (values.size() != count) {
    return absl::InvalidArgumentError(
        base::str_cat(what, " has ", values.size(), " numbers, not ", count));
  }
  for (const int64_t value : values) {
    if (value < least || value > kMaxWindow) {
      return absl::InvalidArgumentError(base::str_cat(what, " holds ", value));
    }
  }
  return absl::OkStatus();
}

base::Result<Window> read_window(const Inference& node, std::vector<int64_t> kernel,
                                 size_t spatial) {
  Window out;
  const Node& from = node.node();
  out.kernel = from.ints_or("kernel_shape", std::move(kernel));
  out.strides = from.ints_or("strides", std::vector<int64_t>(spatial, 1));
  out.dilations = from.ints_or("dilations", std::vector<int64_t>(spatial, 1));
  out.pads = from.ints_or("pads", std::vector<int64_t>(2 * spatial, 0));
  out.auto_pad = from.string_or("auto_pad", "NOTSET");
  out.ceil = from.int_or("ceil_mode", 0) != 0;
  SN_TRY(check_each(out.kernel, spatial, 1, "the kernel"));
  SN_TRY(check_each(out.strides, spatial, 1, "the stride"));
  SN_TRY(check_each(out.dilations, spatial, 1, "the dilation"));
  SN_TRY(check_each(out.pads, 2 * spatial, 0, "the padding"));
  for (size_t i = 0; i < spatial; ++i) {
    if (out.kernel[i] > kMaxWindow / out.dilations[i]) {
      return absl::InvalidArgumentError("the dilated kernel is too large");
    }
  }
  return out;
}

// That of Conv or ConvTranspose, whose weights say the kernel.
base::Result<Window> read_kernel(const Inference& node) {
  const Dims& x = node.dims(0);
  const Dims& w = node.dims(1);
  if (x.size() < 3 || x.size() != w.size()) {
    return absl::InvalidArgumentError(
        base::str_cat(node.node().op, " of ", to_string(x), " with weights ", to_string(w)));
  }
  std::vector<int64_t> kernel;
  for (size_t i = 2; i < w.size(); ++i) kernel.push_back(w[i].constant().value_or(1));
  SN_ASSIGN(Window out, read_window(node, kernel, x.size() - 2));
  out.group = node.node().int_or("group", 1);
  if (out.group < 1) return absl::InvalidArgumentError(base::str_cat("group ", out.group));
  return out;
}

base::Result<Dim> slid(const Dim& size, const Window& window, size_t i) {
  const size_t spatial = window.kernel.size();
  if (window.auto_pad == "SAME_UPPER" || window.auto_pad == "SAME_LOWER") {
    return ceil_div(size, window.strides[i]);
  }
  Dim room = size - Dim(window.extent(i));
  if (window.auto_pad != "VALID") room += Dim(window.pads[i]) + Dim(window.pads[i + spatial]);
  if (room.constant().value_or(0) < 0) {
    return absl::InvalidArgumentError(
        base::str_cat("a window of ", window.extent(i), " over an axis of ", size.to_string()));
  }
  const Dim steps =
      window.ceil ? ceil_div(room, window.strides[i]) : floor_div(room, window.strides[i]);
  return steps + Dim(1);
}

base::Status convolution(Inference& node) {
  if (!node.rank_known(0) || !node.rank_known(1)) {
    node.set_unknown(0, node.data_type(0));
    return absl::OkStatus();
  }
  const Dims& x = node.dims(0);
  const Dims& w = node.dims(1);
  SN_ASSIGN(const Window window, read_kernel(node));
  const size_t spatial = window.kernel.size();
  const int64_t group = window.group;
  if (x[1].is_constant() && w[1].is_constant() && !(x[1] == w[1] * Dim(group))) {
    return absl::InvalidArgumentError(base::str_cat("Conv of ", x[1].to_string(),
                                                    " channels with weights for ",
                                                    (w[1] * Dim(group)).to_string()));
  }
  if (w[0].is_constant() && *w[0].constant() % group != 0) {
    return absl::InvalidArgumentError(
        base::str_cat(w[0].to_string(), " output channels in ", group, " groups"));
  }
  Dims out = {x[0], w[0]};
  for (size_t i = 0; i < spatial; ++i) {
    SN_ASSIGN(Dim size, slid(x[i + 2], window, i));
    out.push_back(std::move(size));
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status transposed_convolution(Inference& node) {
  if (!node.rank_known(0) || !node.rank_known(1)) {
    node.set_unknown(0, node.data_type(0));
    return absl::OkStatus();
  }
  const Dims& x = node.dims(0);
  const Dims& w = node.dims(1);
  SN_ASSIGN(const Window window, read_kernel(node));
  const size_t spatial = window.kernel.size();
  const int64_t group = window.group;
  if (x[1].is_constant() && w[0].is_constant() && !(x[1] == w[0])) {
    return absl::InvalidArgumentError(base::str_cat(
        "ConvTranspose of ", x[1].to_string(), " channels with weights for ", w[0].to_string()));
  }
  const auto extra = node.node().ints_or("output_padding", std::vector<int64_t>(spatial, 0));
  SN_TRY(check_each(extra, spatial, 0, "the output padding"));
  const auto shape = node.node().ints_or("output_shape", {});
  Dims out = {x[0], w[1] * Dim(group)};
  for (size_t i = 0; i < spatial; ++i) {
    if (shape.size() >= spatial) {
      out.emplace_back(shape[shape.size() - spatial + i]);
    } else if (window.auto_pad == "SAME_UPPER" || window.auto_pad == "SAME_LOWER") {
      out.push_back(x[i + 2] * Dim(window.strides[i]));
    } else {
      const Dim size = (x[i + 2] - Dim(1)) * Dim(window.strides[i]) + Dim(window.extent(i)) +
                       Dim(extra[i]) - Dim(window.pads[i]) - Dim(window.pads[i + spatial]);
      if (size.constant().value_or(1) < 1) {
        return absl::InvalidArgumentError("ConvTranspose with more padding than result");
      }
      out.push_back(size);
    }
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status pool(Inference& node) {
  if (!node.rank_known(0)) {
    node.set_unknown(0, node.data_type(0));
    node.set_unknown(1, DataType::kInt64);
    return absl::OkStatus();
  }
  const Dims& x = node.dims(0);
  if (x.size() < 3) return absl::InvalidArgumentError("pooling of a tensor without spatial axes");
  SN_ASSIGN(const Window window, read_window(node, {}, x.size() - 2));
  Dims out = {x[0], x[1]};
  for (size_t i = 0; i + 2 < x.size(); ++i) {
    SN_ASSIGN(Dim size, slid(x[i + 2], window, i));
    out.push_back(std::move(size));
  }
  node.set(0, node.data_type(0), out);
  node.set(1, DataType::kInt64, std::move(out));
  return absl::OkStatus();
}

base::Status global_pool(Inference& node) {
  if (!node.rank_known(0) || node.dims(0).size() < 3) {
    return absl::InvalidArgumentError("global pooling of a tensor without spatial axes");
  }
  Dims out(node.dims(0).size(), Dim(1));
  out[0] = node.dims(0)[0];
  out[1] = node.dims(0)[1];
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status matrix_product_of(Inference& node, size_t a, size_t b, DataType result) {
  if (!node.rank_known(a) || !node.rank_known(b)) {
    node.set_unknown(0, result);
    return absl::OkStatus();
  }
  Dims x = node.dims(a);
  Dims y = node.dims(b);
  if (x.empty() || y.empty()) return absl::InvalidArgumentError("MatMul of a scalar");
  const bool row = x.size() == 1;
  const bool column = y.size() == 1;
  if (row) x.insert(x.begin(), Dim(1));
  if (column) y.emplace_back(1);
  const Dim& inner = x.back();
  const Dim& other = y[y.size() - 2];
  if (inner.is_constant() && other.is_constant() && !(inner == other)) {
    return absl::InvalidArgumentError(
        base::str_cat("MatMul of ", to_string(node.dims(a)), " and ", to_string(node.dims(b))));
  }
  SN_ASSIGN(Dims out, broadcast({x.begin(), x.end() - 2}, {y.begin(), y.end() - 2}));
  if (!row) out.push_back(x[x.size() - 2]);
  if (!column) out.push_back(y.back());
  node.set(0, result, std::move(out));
  return absl::OkStatus();
}
base::Status matrix_product(Inference& node) {
  return matrix_product_of(node, 0, 1, node.data_type(0));
}
base::Status integer_matrix_product(Inference& node) {
  return matrix_product_of(node, 0, 1, DataType::kInt32);
}
base::Status quantised_matrix_product(Inference& node) {
  return matrix_product_of(node, 0, 3, node.data_type(7));
}

base::Status gemm(Inference& node) {
  if (!node.rank_known(0) || !node.rank_known(1) || node.dims(0).size() != 2 ||
      node.dims(1).size() != 2) {
    return absl::InvalidArgumentError("Gemm needs two matrices");
  }
  const bool left = node.node().int_or("transA", 0) != 0;
  const bool right = node.node().int_or("transB", 0) != 0;
  const Dim& inner = node.dims(0)[left ? 0 : 1];
  const Dim& other = node.dims(1)[right ? 1 : 0];
  if (inner.is_constant() && other.is_constant() && !(inner == other)) {
    return absl::InvalidArgumentError(base::str_cat("Gemm of matrices ", to_string(node.dims(0)),
                                                    " and ", to_string(node.dims(1))));
  }
  node.set(0, node.data_type(0), {node.dims(0)[left ? 1 : 0], node.dims(1)[right ? 0 : 1]});
  return absl::OkStatus();
}

base::Status first_only(Inference& node) {
  node.set(0, node.type(0));
  return absl::OkStatus();
}

base::Status layer_normalization(Inference& node) {
  node.set(0, node.type(0));
  node.set_unknown(1, DataType::kFp32);
  node.set_unknown(2, DataType::kFp32);
  return absl::OkStatus();
}

base::Status recurrent(Inference& node) {
  if (!node.rank_known(0) || node.dims(0).size() != 3 || !node.rank_known(1) ||
      node.dims(1).size() != 3) {
    return absl::InvalidArgumentError("a recurrent layer needs an input and weights of three axes");
  }
  const bool batch_first = node.node().int_or("layout", 0) != 0;
  const Dim& steps = node.dims(0)[batch_first ? 1 : 0];
  const Dim& batch = node.dims(0)[batch_first ? 0 : 1];
  const Dim& directions = node.dims(1)[0];
  const Dim hidden = node.node().int_or("hidden_size", 0);
  const DataType type = node.data_type(0);
  if (batch_first) {
    node.set(0, type, {batch, steps, directions, hidden});
    node.set(1, type, {batch, directions, hidden});
    node.set(2, type, {batch, directions, hidden});
  } else {
    node.set(0, type, {steps, directions, batch, hidden});
    node.set(1, type, {directions, batch, hidden});
    node.set(2, type, {directions, batch, hidden});
  }
  return absl::OkStatus();
}

base::Status grid_sample(Inference& node) {
  if (!node.rank_known(0) || !node.rank_known(1) || node.dims(0).size() != 4 ||
      node.dims(1).size() != 4) {
    return absl::InvalidArgumentError("GridSample needs tensors of four axes");
  }
  node.set(0, node.data_type(0),
           {node.dims(0)[0], node.dims(0)[1], node.dims(1)[1], node.dims(1)[2]});
  return absl::OkStatus();
}

base::Status einsum(Inference& node) {
  const std::string equation = node.node().string_or("equation", "");
  std::map<char, Dim> sizes;
  const size_t arrow = equation.find("->");
  if (arrow == std::string::npos || equation.find('.') != std::string::npos) {
    node.set_unknown(0, node.data_type(0));
    return absl::OkStatus();
  }
  size_t input = 0;
  size_t axis = 0;
  for (const char c : equation.substr(0, arrow)) {
    if (c == ' ') continue;
    if (c == ',') {
      ++input;
      axis = 0;
      continue;
    }
    if (!node.rank_known(input) || axis >= node.dims(input).size()) {
      return absl::InvalidArgumentError("Einsum with another number of axes than its inputs");
    }
    sizes[c] = node.dims(input)[axis++];
  }
  Dims out;
  for (const char c : equation.substr(arrow + 2)) {
    if (c != ' ') out.push_back(sizes[c]);
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

}  // namespace

void add_neural(InferTable& table) {
  table["Conv"] = convolution;
  table["ConvTranspose"] = transposed_convolution;
  table["MaxPool"] = table["AveragePool"] = table["LpPool"] = pool;
  table["GlobalMaxPool"] = table["GlobalAveragePool"] = table["GlobalLpPool"] = global_pool;
  table["MatMul"] = matrix_product;
  table["MatMulInteger"] = integer_matrix_product;
  table["QLinearMatMul"] = quantised_matrix_product;
  table["Gemm"] = gemm;
  table["BatchNormalization"] = first_only;
  table["LayerNormalization"] = layer_normalization;
  table["LSTM"] = table["GRU"] = table["RNN"] = recurrent;
  table["GridSample"] = grid_sample;
  table["Einsum"] = einsum;
}

}  // namespace supernova::import::graph
