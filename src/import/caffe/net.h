// A Caffe net as its text describes it: layers of the newer (`layer`) and the older (`layers`) form
// alike, those of the wanted phase only. Facts: Caffe's caffe.proto (BVLC, BSD licence) and
// Net::FilterNet.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "import/caffe/text_format.h"
#include "tensor/artefact.h"

namespace supernova::import::caffe {

struct Layer {
  std::string name;
  std::string type;  // "Convolution", also where the older form says CONVOLUTION
  std::vector<std::string> bottoms;
  std::vector<std::string> tops;
  const TextMessage* text = nullptr;
  TextPosition position;
  bool old = false;  // `layers`
};

struct NetInput {
  std::string name;
  std::vector<int64_t> shape;  // -1 = open
};

struct Net {
  std::string name;
  std::vector<NetInput> inputs;  // `input:` and layers of type Input
  std::vector<Layer> layers;     // without Input layers
  bool old_layers = false;       // `layers { type: CONVOLUTION }`
  bool fixed_batch = false;      // the user gave the first axis a size
  bool has_open_sizes = false;   // by open_placeholders()
  std::vector<std::string> notes;
  std::shared_ptr<const TextMessage> text;
};

// Whether the outermost fields are those of a net's description with at least one layer.
bool is_net(const TextMessage& text);
// Options: `stages` (comma separated), `input_shape.NAME` (import/input_shapes.h).
base::Result<Net> read_net(std::shared_ptr<const TextMessage> text, const tensor::Options& options);
// Opens height and width of images that the net declares as 1 x 1 because only a caller knows them.
void open_placeholders(Net& net);
// The newer form's name of an older form's layer type, by name or number; "" = there is none.
std::string_view newer_type(std::string_view older);

}  // namespace supernova::import::caffe
