#include "compile/imported_record.h"

#include <filesystem>

#include "compile/record.h"

namespace supernova::compile {
namespace {

// The layout of the record; another number makes what was written before unreadable.
constexpr uint64_t kLayout = 2;
constexpr size_t kMaxRank = 1024;

enum class PathKind : uint64_t { kAsItIs, kModel, kFolder, kInFolder };

void write_path(RecordWriter& out, const std::string& path, const std::string& file) {
  const std::string folder = folder_of(file);
  const auto put = [&](PathKind kind, std::string_view text) {
    out.number(static_cast<uint64_t>(kind));
    out.text(text);
  };
  if (path == file) return put(PathKind::kModel, "");
  if (path == folder) return put(PathKind::kFolder, "");
  if (path.starts_with(folder + "/")) {
    return put(PathKind::kInFolder, std::string_view(path).substr(folder.size() + 1));
  }
  put(PathKind::kAsItIs, path);
}

std::string read_path(RecordReader& in, const std::string& file) {
  const auto kind = static_cast<PathKind>(in.number());
  std::string text = in.text();
  switch (kind) {
    case PathKind::kModel:
      return file;
    case PathKind::kFolder:
      return folder_of(file);
    case PathKind::kInFolder:
      return folder_of(file) + "/" + text;
    default:
      return text;
  }
}

void write_tensors(RecordWriter& out, const std::vector<tensor::TensorInfo>& infos) {
  out.number(infos.size());
  for (const tensor::TensorInfo& info : infos) {
    out.text(info.name);
    out.number(static_cast<uint64_t>(info.data_type));
    out.number(info.rank_known);
    out.number(info.shape.size());
    for (const int64_t size : info.shape) out.number(static_cast<uint64_t>(size));
    out.texts(info.dim_names);
    out.number(info.optional);
    out.number(info.is_state);
    out.text(info.model_type);
  }
}

bool read_tensors(RecordReader& in, std::vector<tensor::TensorInfo>& infos) {
  for (size_t left = in.count(1); left > 0 && in.ok(); --left) {
    tensor::TensorInfo info;
    info.name = in.text();
    info.data_type = static_cast<tensor::DataType>(in.number());
    if (tensor::data_type_name(info.data_type).empty()) return false;
    info.rank_known = in.number() != 0;
    const size_t rank = in.count(sizeof(int64_t));
    if (rank > kMaxRank) return false;
    for (size_t i = 0; i < rank; ++i) info.shape.push_back(in.signed_number());
    info.dim_names = in.texts();
    info.optional = in.number() != 0;
    info.is_state = in.number() != 0;
    info.model_type = in.text();
    infos.push_back(std::move(info));
  }
  return in.ok();
}

void write_description(RecordWriter& out, const tensor::ModelDescription& description,
                       const std::string& file) {
  out.text(description.format);
  out.text(description.producer);
  out.text(description.version);
  write_path(out, description.file, file);
  out.number(description.byte_size);
  out.number(description.operators.size());
  for (const auto& [name, count] : description.operators) {
    out.text(name);
    out.number(static_cast<uint64_t>(count));
  }
  write_tensors(out, description.inputs);
  write_tensors(out, description.outputs);
  out.texts(description.notes);
}

bool read_description(RecordReader& in, const std::string& file,
                      tensor::ModelDescription& description) {
  description.format = in.text();
  description.producer = in.text();
  description.version = in.text();
  description.file = read_path(in, file);
  description.byte_size = in.number();
  for (size_t left = in.count(1); left > 0 && in.ok(); --left) {
    std::string name = in.text();
    description.operators[std::move(name)] = in.signed_number();
  }
  if (!read_tensors(in, description.inputs) || !read_tensors(in, description.outputs)) return false;
  description.notes = in.texts();
  return in.ok();
}

bool take_parts(const tensor::Buffer& payload, uint64_t model_size, uint64_t weights_size,
                tensor::Artefact& artefact) {
  const uint64_t gap = weights_size > 0 ? kWeightsGap : 0;
  if (gap > payload.size() || weights_size > payload.size() - gap ||
      model_size != payload.size() - gap - weights_size) {
    return false;
  }
  if (model_size > 0) artefact.bytes = payload.slice(gap + weights_size, model_size);
  if (weights_size > 0) artefact.weights = payload.slice(gap, weights_size);
  return true;
}

}  // namespace

std::string folder_of(const std::string& file) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string write_imported(const tensor::ImportedModel& model, const std::string& file) {
  RecordWriter out;
  out.number(kLayout);
  out.text(model.artefact.format);
  write_path(out, model.artefact.path, file);
  out.number(model.artefact.bytes.size());
  out.number(model.weights.byte_size);
  write_description(out, model.description, file);
  out.number(model.sources.size());
  for (const std::string& source : model.sources) write_path(out, source, file);
  return out.take();
}

base::Result<tensor::ImportedModel> read_imported(std::string_view record, const std::string& file,
                                                  const tensor::Buffer& payload) {
  tensor::ImportedModel model;
  RecordReader in(record);
  bool good = in.number() == kLayout;
  model.artefact.format = in.text();
  model.artefact.path = read_path(in, file);
  const uint64_t model_size = in.number();
  const uint64_t weights_size = in.number();
  good = good && take_parts(payload, model_size, weights_size, model.artefact) &&
         read_description(in, file, model.description);
  for (size_t left = in.count(1); left > 0 && in.ok(); --left) {
    model.sources.push_back(read_path(in, file));
  }
  if (!good || !in.complete()) {
    return absl::DataLossError(base::str_cat(file, ": what its import left behind can't be read"));
  }
  return model;
}

}  // namespace supernova::compile
