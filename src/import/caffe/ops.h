// What a converter of a layer type has at hand, and the table it enters itself into. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/caffe/net.h"
#include "import/caffe/params.h"
#include "import/caffe/weights.h"
#include "import/graph/builder.h"
#include "import/graph/op_table.h"
#include "tensor/artefact.h"

namespace supernova::import::caffe {

using graph::Constant;
using graph::Dim;
using graph::Dims;
using graph::Value;
using Sizes = std::vector<int64_t>;

class LayerContext {
 public:
  LayerContext(graph::Builder& builder, const Layer& source, const Weights* weights,
               const tensor::Options& options);

  graph::Builder& build;
  const Layer& layer;
  std::vector<Value*> bottoms;  // null for one that nothing makes (a loss's label)
  std::vector<Value*> tops;     // filled by the converter, in order; fewer = the rest is not made

  // ---- errors: the first one of a layer stays
  void fail(std::string_view reason);
  bool failed() const { return build.failed() || !status_.ok(); }
  const base::Status& param_status() const { return status_; }
  // Refuses another number of bottoms.
  bool need_bottoms(size_t least, size_t most);
  bool need_rank(const Value* value, size_t least, size_t most);
  bool refuse_if(bool condition, std::string_view reason);

  // ---- parameters
  Params params(std::string_view message);
  Params root();
  std::string option(std::string_view key, std::string_view otherwise) const;

  // ---- shapes
  // An axis counted from the end where negative; nothing (and an error) when there is no such axis.
  std::optional<size_t> axis_of(const Value* value, int64_t axis, bool end_allowed = false);
  // The sizes [from, to) as numbers; nothing (and an error) when one is not known.
  std::optional<Sizes> sizes(const Value* value, size_t from = 0, size_t to = SIZE_MAX);
  std::optional<int64_t> size(const Value* value, size_t axis);
  // Refuses a tensor of more than 2^31 - 1 elements, which Caffe can't hold either.
  bool check_count(const Sizes& shape);
  // Refuses to make constants without end: `count` numbers more than those that the net's layers
  // have made so far.
  bool make_room(int64_t count);
  int64_t* numbers_made = nullptr;  // counted over all layers of a net; may be null

  // ---- weights
  size_t blob_count() const { return blobs_ != nullptr ? blobs_->size() : 0; }
  // Blob `index` under this shape. Refuses a missing one, and one of another shape (axes of size 1
  // aside).
  std::optional<Constant> blob(size_t index, Sizes shape);
  std::optional<Constant> blob_as_is(size_t index);
  // As above; where the layer has no trained weights at all and `filler` says how to make them
  // without chance (constant, bilinear), those.
  std::optional<Constant> blob_or_filler(size_t index, Sizes shape, const Params& filler,
                                         std::optional<float> otherwise = std::nullopt);

  // ---- the results
  void give(Value* value) { tops.push_back(value); }

 private:
  std::optional<Constant> fill(const Sizes& shape, const Params& filler,
                               std::optional<float> otherwise);

  const std::vector<Constant>* blobs_ = nullptr;
  bool has_weights_file_ = false;
  const tensor::Options& options_;
  base::Status status_;
};

using OpTable = graph::OpTable<LayerContext>;
// Generated from the files in ops/.
void register_ops(OpTable& table);
// The table, made once.
const OpTable& op_table();

}  // namespace supernova::import::caffe
