#include "import/onnx/move_external_data.h"

#include <protozero/pbf_writer.hpp>

#include "import/onnx/external_data.h"
#include "import/onnx/schema.h"

namespace supernova::import::onnx {
namespace {

using protozero::pbf_writer;

void add(pbf_writer& writer, uint32_t number, std::string_view text) {
  writer.add_bytes(number, text.data(), text.size());
}

void add_entry(pbf_writer& tensor, std::string_view key, std::string_view value) {
  std::string out;
  pbf_writer writer(out);
  add(writer, entry::kKey, key);
  add(writer, entry::kValue, value);
  add(tensor, tensor_field::kExternal, out);
}

base::Result<std::string> moved_tensor(Place place, const TensorHead& head,
                                       std::string_view location, uint64_t lower) {
  SN_ASSIGN(const ExternalTensor at, external_tensor(head, head.name));
  if (at.offset < lower) {
    return absl::InvalidArgumentError(
        base::str_cat("the data of tensor '", head.name, "' can't move to before its file"));
  }
  std::string out;
  Fields fields(place, kTensorType);
  while (fields.next()) {
    if (fields.number() != tensor_field::kExternal) out.append(fields.raw());
  }
  SN_TRY(fields.status());
  pbf_writer writer(out);
  add_entry(writer, "location", location);
  add_entry(writer, "offset", base::str_cat(at.offset - lower));
  if (at.length) add_entry(writer, "length", base::str_cat(*at.length));
  return out;
}

base::Result<std::string> moved_graph(Place place, std::string_view location, uint64_t lower) {
  std::string out;
  pbf_writer writer(out);
  Fields fields(place, kGraphType);
  while (fields.next()) {
    if (fields.number() == graph::kInitializer) {
      SN_ASSIGN(const TensorHead head, read_tensor_head(fields.place()));
      if (head.external) {
        SN_ASSIGN(const std::string tensor, moved_tensor(fields.place(), head, location, lower));
        add(writer, graph::kInitializer, tensor);
        continue;
      }
    }
    out.append(fields.raw());
  }
  SN_TRY(fields.status());
  return out;
}

}  // namespace

base::Result<std::string> move_external_data(std::string_view file, std::string_view location,
                                             uint64_t lower) {
  std::string out;
  pbf_writer writer(out);
  Fields fields({file, file}, kModelType);
  while (fields.next()) {
    if (fields.number() != model::kGraph) {
      out.append(fields.raw());
      continue;
    }
    SN_ASSIGN(const std::string graph, moved_graph(fields.place(), location, lower));
    add(writer, model::kGraph, graph);
  }
  SN_TRY(fields.status());
  return out;
}

}  // namespace supernova::import::onnx
