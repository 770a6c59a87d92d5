#include "engine/tflite/model.h"

#include <algorithm>

namespace supernova::engine::tflite {

base::Result<std::unique_ptr<Model>> Model::open(const Runtime& runtime,
                                                 const sn_artefact& artefact,
                                                 const Options& options) {
  std::unique_ptr<Model> model(new Model);
  model->runtime_ = &runtime;
  model->options_ = options;
  SN_ASSIGN(model->bytes_, ModelBytes::open(artefact));
  const auto read = [&]() -> base::Status {
    model->reader_ = std::make_unique<tensor::tflite::Reader>(model->bytes_->view());
    SN_ASSIGN(model->file_, tensor::tflite::read_file(*model->reader_));
    return {};
  };
  SN_TRY(read());
  SN_ASSIGN(const bool changed, choose_graph(model->file_, options, *model->bytes_));
  if (changed) SN_TRY(read());
  SN_TRY(check_stateless(model->file_));
  SN_ASSIGN(model->values_, read_values(model->file_.subgraphs[0]));
  const std::string_view bytes = model->bytes_->view();
  model->handle_ = runtime.api.TfLiteModelCreate(bytes.data(), bytes.size());
  if (model->handle_ == nullptr) {
    return absl::InvalidArgumentError(
        base::str_cat("TensorFlow Lite ", runtime.version, " does not take the file for a model"));
  }
  model->fill_info();
  return model;
}

Model::~Model() {
  if (handle_ != nullptr) runtime_->api.TfLiteModelDelete(handle_);
}

bool Model::has_variables() const {
  const auto& tensors = file_.subgraphs[0].tensors;
  return std::any_of(tensors.begin(), tensors.end(), [](const auto& def) { return def.variable; });
}

void Model::fill_info() {
  const auto fill = [](const Value& value) {
    sn_tensor_info info{};
    info.size = sizeof(info);
    info.name = value.name.c_str();
    info.dtype = value.dtype;
    info.rank = static_cast<int32_t>(value.dims.size());
    info.dims = value.dims.data();
    info.dim_names = value.dim_symbols.data();
    return info;
  };
  for (const Value& value : values_.inputs) input_infos_.push_back(fill(value));
  for (const Value& value : values_.outputs) output_infos_.push_back(fill(value));
  signature_.size = sizeof(signature_);
  signature_.name = "";
  signature_.inputs = input_infos_.data();
  signature_.input_count = input_infos_.size();
  signature_.outputs = output_infos_.data();
  signature_.output_count = output_infos_.size();
  info_.size = sizeof(info_);
  info_.signatures = &signature_;
  info_.signature_count = 1;
}

}  // namespace supernova::engine::tflite
