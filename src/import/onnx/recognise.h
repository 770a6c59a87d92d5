// Is this an ONNX model? By content: the outermost fields of a ModelProto and of its graph.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supernova::import::onnx {

// A whole, undamaged outer layer of a ModelProto with a graph in it. Bytes of other protobuf
// schemas (GraphDef, SavedModel, NetParameter), of text and of archives are not.
bool is_model(std::string_view content);
// ONNX Runtime's own serialisation, a flatbuffer.
bool is_ort_format(std::string_view content);
// The placeholder that git leaves where a large file was not downloaded.
bool is_lfs_pointer(std::string_view content);
// Whether a file (not a folder) is ours: by content, or by the extension .onnx or .ort, so that a
// damaged model is refused for the right reason.
bool claims_file(const std::string& path);
// The files directly in `folder` that are ours, sorted.
std::vector<std::string> models_in(const std::string& folder);
// The model file that `path` (a file or a folder) means; `path` itself when it is a folder with
// several models of which none is called model.onnx; "" when there is none.
std::string find_model(const std::string& path);

}  // namespace supernova::import::onnx
