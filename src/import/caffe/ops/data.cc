// Layers at the ends of a net: those that only training needs, and those that take a blob away.
#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

void nothing(LayerContext&) {}

}  // namespace

void register_data(OpTable& table) {
  table.add("Silence", nothing);
  const char* const notes = "left out: it needs labels, which are not there at use";
  for (const char* name : {"Accuracy", "ContrastiveLoss", "EuclideanLoss", "HingeLoss",
                           "InfogainLoss", "MultinomialLogisticLoss", "SigmoidCrossEntropyLoss",
                           "MultiBoxLoss", "SmoothL1Loss", "CenterLoss", "DetectionEvaluate"}) {
    table.add(name, nothing, notes);
  }
}

}  // namespace supernova::import::caffe
