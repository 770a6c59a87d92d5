// Operators that pick elements by index, or find them.
#include <algorithm>

#include "import/graph/infer_table.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

base::Status unknown_result(Inference& node) {
  node.set_unknown(0, node.data_type(0));
  return absl::OkStatus();
}

base::Status gather(Inference& node) {
  if (!node.rank_known(0) || !node.rank_known(1)) return unknown_result(node);
  const Dims& data = node.dims(0);
  SN_ASSIGN(const size_t axis, Inference::axis(node.node().int_or("axis", 0), data.size()));
  const auto at = data.begin() + static_cast<int64_t>(axis);
  Dims out(data.begin(), at);
  out.insert(out.end(), node.dims(1).begin(), node.dims(1).end());
  out.insert(out.end(), at + 1, data.end());
  if (const auto indices = node.integers(1); indices && at->is_constant()) {
    const int64_t size = *at->constant();
    for (const int64_t index : *indices) {
      if (index < -size || index >= size) {
        return absl::InvalidArgumentError(base::str_cat("index ", index, " of an axis of ", size));
      }
    }
  }
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status gather_nd(Inference& node) {
  if (!node.rank_known(0) || !node.rank_known(1) || node.dims(1).empty() ||
      !node.dims(1).back().is_constant()) {
    return unknown_result(node);
  }
  const Dims& data = node.dims(0);
  const Dims& indices = node.dims(1);
  const int64_t depth = *indices.back().constant() + node.node().int_or("batch_dims", 0);
  if (depth < 0 || depth > static_cast<int64_t>(data.size())) {
    return absl::InvalidArgumentError("GatherND with more indices than the data has axes");
  }
  Dims out(indices.begin(), indices.end() - 1);
  out.insert(out.end(), data.begin() + depth, data.end());
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status gather_elements(Inference& node) {
  Type type = node.type(1);
  type.data_type = node.data_type(0);
  node.set(0, std::move(type));
  return absl::OkStatus();
}

base::Status like_first(Inference& node) {
  node.set(0, node.type(0));
  return absl::OkStatus();
}

base::Status one_hot(Inference& node) {
  if (!node.rank_known(0)) {
    node.set_unknown(0, node.data_type(2));
    return absl::OkStatus();
  }
  Dims out = node.dims(0);
  SN_ASSIGN(const size_t axis, Inference::axis(node.node().int_or("axis", -1), out.size() + 1));
  const auto depth = node.integers(1);
  out.insert(out.begin() + static_cast<int64_t>(axis),
             depth && depth->size() == 1 ? Dim(depth->front()) : Model::fresh_dim());
  node.set(0, node.data_type(2), std::move(out));
  return absl::OkStatus();
}

base::Status top_k(Inference& node) {
  if (!node.rank_known(0)) {
    node.set_unknown(0, node.data_type(0));
    node.set_unknown(1, DataType::kInt64);
    return absl::OkStatus();
  }
  Dims out = node.dims(0);
  SN_ASSIGN(const size_t axis, Inference::axis(node.node().int_or("axis", -1), out.size()));
  const auto count = node.elements(1);
  if (count && count->size() == 1 && count->front().is_constant() && out[axis].is_constant() &&
      (*count->front().constant() < 0 || *count->front().constant() > *out[axis].constant())) {
    return absl::InvalidArgumentError(base::str_cat("the top ", count->front().to_string(), " of ",
                                                    out[axis].to_string(), " elements"));
  }
  out[axis] = count && count->size() == 1 ? count->front() : Model::fresh_dim();
  node.set(0, node.data_type(0), out);
  node.set(1, DataType::kInt64, std::move(out));
  return absl::OkStatus();
}

base::Status non_zero(Inference& node) {
  node.set(
      0, DataType::kInt64,
      {node.rank_known(0) ? Dim(static_cast<int64_t>(node.dims(0).size())) : Model::fresh_dim(),
       Model::fresh_dim()});
  return absl::OkStatus();
}

base::Status compress(Inference& node) {
  if (!node.rank_known(0)) return unknown_result(node);
  if (node.node().find("axis") == nullptr) {
    node.set(0, node.data_type(0), {Model::fresh_dim()});
    return absl::OkStatus();
  }
  Dims out = node.dims(0);
  SN_ASSIGN(const size_t axis, Inference::axis(node.node().int_or("axis", 0), out.size()));
  out[axis] = Model::fresh_dim();
  node.set(0, node.data_type(0), std::move(out));
  return absl::OkStatus();
}

base::Status unique(Inference& node) {
  const Dim count = Model::fresh_dim();
  if (node.node().find("axis") != nullptr) {
    node.set_unknown(0, node.data_type(0));
  } else {
    node.set(0, node.data_type(0), {count});
  }
  node.set(1, DataType::kInt64, {count});
  node.set(2, DataType::kInt64, {Model::fresh_dim()});
  node.set(3, DataType::kInt64, {count});
  return absl::OkStatus();
}

base::Status non_max_suppression(Inference& node) {
  node.set(0, DataType::kInt64, {Model::fresh_dim(), 3});
  return absl::OkStatus();
}

base::Status eye_like(Inference& node) { return like_first(node); }

base::Status roi_align(Inference& node) {
  if (!node.rank_known(0) || !node.rank_known(1) || node.dims(0).size() != 4 ||
      node.dims(1).empty()) {
    return unknown_result(node);
  }
  node.set(0, node.data_type(0),
           {node.dims(1)[0], node.dims(0)[1], node.node().int_or("output_height", 1),
            node.node().int_or("output_width", 1)});
  return absl::OkStatus();
}

base::Status max_roi_pool(Inference& node) {
  const auto shape = node.node().ints_or("pooled_shape", {});
  if (shape.size() != 2 || !node.rank_known(0) || !node.rank_known(1) || node.dims(0).size() != 4 ||
      node.dims(1).empty()) {
    return absl::InvalidArgumentError("MaxRoiPool of tensors without the axes it needs");
  }
  node.set(0, node.data_type(0), {node.dims(1)[0], node.dims(0)[1], shape[0], shape[1]});
  return absl::OkStatus();
}

}  // namespace

void add_indexing(InferTable& table) {
  table["Gather"] = gather;
  table["GatherND"] = gather_nd;
  table["GatherElements"] = gather_elements;
  table["ScatterND"] = table["ScatterElements"] = like_first;
  table["OneHot"] = one_hot;
  table["TopK"] = top_k;
  table["NonZero"] = non_zero;
  table["Compress"] = compress;
  table["Unique"] = unique;
  table["NonMaxSuppression"] = non_max_suppression;
  table["EyeLike"] = eye_like;
  table["RoiAlign"] = roi_align;
  table["MaxRoiPool"] = max_roi_pool;
}

}  // namespace supernova::import::graph
