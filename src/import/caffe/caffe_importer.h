// Caffe models, a .prototxt and a .caffemodel, become ONNX. Options:
//   prototxt, weights   name the other file where it is not found by itself
//   input_shape.NAME    "1,3,300,300": another input shape than the net's
//   batch=fixed         keeps the first axis as declared; without it, it may vary where the net
//                       treats items apart
//   stages              "deploy": which stages' layers to take
//   detections=exact    DetectionOutput gives what it found, by class, as Caffe does; without it
//                       always keep_top_k rows per image, the best one first, the rest zero
// Stateless and thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "import/importer.h"

namespace supernova::import::caffe {

std::unique_ptr<Importer> make_importer();

// One of the two files: what errors call it, and its bytes, which `owner` keeps alive.
struct Content {
  std::string name;
  std::string_view bytes;
  std::shared_ptr<const void> owner;
};
// Imports both files' content; used by the importer, by tests and by the fuzzer.
base::Result<tensor::ImportedModel> import_content(const Content& net,
                                                   const std::optional<Content>& weights,
                                                   const tensor::Options& options = {});

}  // namespace supernova::import::caffe
