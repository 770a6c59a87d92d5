#include "protocol/oip/load_request.h"

#include "base/base64.h"
#include "protocol/oip/json_object.h"

namespace supernova::protocol::oip {
namespace {

constexpr std::string_view kFile = "file:";

base::Status unknown(std::string_view key, std::string_view where, std::string_view known) {
  return absl::InvalidArgumentError(
      base::str_cat("unknown key '", key, "' in ", where, "; known: ", known));
}

// A relative path whose parts are names.
bool stays_inside(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == ".." ||
        part.find_first_of(std::string_view("\\\0", 2)) != std::string_view::npos) {
      return false;
    }
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

base::Result<model::LoadRequest::File> read_file(JsonReader& reader, const std::string& key) {
  model::LoadRequest::File file;
  file.path = key.substr(kFile.size());
  if (!stays_inside(file.path)) {
    return absl::InvalidArgumentError(base::str_cat(
        "'", key, "' does not name a file inside the model's folder, such as file:1/model.onnx"));
  }
  SN_ASSIGN(const std::string text, read_text(reader, key, "'parameters'"));
  std::string content;
  if (!base::decode_base64(text, content)) {
    return absl::InvalidArgumentError(base::str_cat(
        "'", key, "' is not base64 (standard alphabet, padded, nothing else between)"));
  }
  file.content = tensor::Buffer::copy_of(content);
  if (file.content.data() == nullptr) {
    return absl::ResourceExhaustedError(base::str_cat("there is no memory for '", key, "'"));
  }
  return file;
}

// Reads a text that is nothing, {} or {"parameters": {...}}.
base::Status read_parameters(
    std::string_view text, std::string_view what,
    absl::FunctionRef<base::Status(JsonReader&, const std::string&)> member) {
  return read_json_text(text, what, [&](JsonReader& reader, const std::string& key) {
    if (key != "parameters") return unknown(key, what, "parameters");
    return read_json_object(reader, "'parameters'",
                            [&](const std::string& inner) { return member(reader, inner); });
  });
}

}  // namespace

base::Result<model::LoadRequest> decode_load_request(std::string_view text) {
  model::LoadRequest request;
  bool has_config = false;
  const auto member = [&](JsonReader& reader, const std::string& key) -> base::Status {
    if (key.starts_with(kFile)) {
      SN_ASSIGN(model::LoadRequest::File file, read_file(reader, key));
      request.files.push_back(std::move(file));
    } else if (key == "config") {
      SN_ASSIGN(request.config, read_text(reader, key, "'parameters'"));
      has_config = true;
    } else {
      return unknown(key, "'parameters' of the load request", "config, file:<path>");
    }
    return {};
  };
  SN_TRY(read_parameters(text, "the load request", member));
  if (!request.files.empty() && !has_config) {
    return absl::InvalidArgumentError(
        "files in the load request need the parameter 'config' beside them");
  }
  return request;
}

base::Result<bool> decode_unload_request(std::string_view text) {
  bool dependents = false;
  const auto member = [&](JsonReader& reader, const std::string& key) -> base::Status {
    if (key != "unload_dependents") {
      return unknown(key, "'parameters' of the unload request", "unload_dependents");
    }
    SN_ASSIGN(dependents, read_flag(reader, key, "'parameters'"));
    return {};
  };
  SN_TRY(read_parameters(text, "the unload request", member));
  return dependents;
}

base::Result<bool> decode_index_request(std::string_view text) {
  bool only_ready = false;
  const auto member = [&](JsonReader& reader, const std::string& key) -> base::Status {
    if (key != "ready") return unknown(key, "the index request", "ready");
    SN_ASSIGN(only_ready, read_flag(reader, key, "the index request"));
    return {};
  };
  SN_TRY(read_json_text(text, "the index request", member));
  return only_ready;
}

}  // namespace supernova::protocol::oip
