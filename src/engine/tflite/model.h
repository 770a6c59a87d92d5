// One .tflite model: its bytes, which all instances share, and what it takes and gives.
#pragma once

#include <supernova/engine.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/tflite/model_bytes.h"
#include "engine/tflite/options.h"
#include "engine/tflite/runtime.h"
#include "engine/tflite/signature.h"

namespace supernova::engine::tflite {

inline constexpr char kFormat[] = "tflite";

class Model {
 public:
  // The file is checked before the runtime sees it, which trusts it in many places. Of the options
  // it takes `signature`.
  static base::Result<std::unique_ptr<Model>> open(const Runtime& runtime,
                                                   const sn_artefact& artefact,
                                                   const Options& options);
  ~Model();

  const Runtime& runtime() const { return *runtime_; }
  const c::Model* handle() const { return handle_; }
  const tensor::tflite::File& file() const { return file_; }
  const Values& values() const { return values_; }
  const Options& options() const { return options_; }
  const sn_model_info& info() const { return info_; }
  // Whether a tensor of the first graph keeps its content from run to run.
  bool has_variables() const;

 private:
  Model() = default;
  void fill_info();

  const Runtime* runtime_ = nullptr;
  Options options_;
  std::unique_ptr<ModelBytes> bytes_;
  std::unique_ptr<tensor::tflite::Reader> reader_;
  tensor::tflite::File file_;
  c::Model* handle_ = nullptr;
  Values values_;

  // What info_ points to.
  std::vector<sn_tensor_info> input_infos_;
  std::vector<sn_tensor_info> output_infos_;
  sn_signature signature_{};
  sn_model_info info_{};
};

}  // namespace supernova::engine::tflite
