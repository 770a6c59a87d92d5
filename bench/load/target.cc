#include "load/target.h"

#include <grpcpp/grpcpp.h>
#include <simdjson.h>

#include "inference.grpc.pb.h"
#include "load/http_socket.h"
#include "load/request.h"

namespace supernova::bench {
namespace {

base::Status bad_url(std::string_view url, std::string_view why) {
  return absl::InvalidArgumentError(
      base::str_cat("URL '", url, "': ", why,
                    "; give http://HOST:PORT/v2/models/MODEL or grpc://HOST:PORT/MODEL"));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool whole = text[i] == '%' && i + 2 < text.size();
    const int high = whole ? hex_digit(text[i + 1]) : -1;
    const int low = whole ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

base::Status split_authority(std::string_view url, std::string_view authority, Target& target) {
  if (authority.find('@') != std::string_view::npos) {
    return bad_url(url, "names and passwords in it are not supported, use --header");
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad_url(url, "no ']' after the address");
    target.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    if (!port.empty() && port.front() != ':') return bad_url(url, "no port after ']'");
  } else {
    const size_t colon = authority.find(':');
    target.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (!port.empty()) target.port = port.substr(1);
  uint16_t number = 0;
  if (target.host.empty()) return bad_url(url, "no host in it");
  if (!base::parse_whole(target.port, number) || number == 0) return bad_url(url, "no such port");
  return {};
}

base::Status split_path(std::string_view url, std::string_view path, Target& target) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (target.grpc) {
    if (!path.empty()) target.model = percent_decoded(path.substr(1));
    return {};
  }
  constexpr std::string_view kModels = "/v2/models/";
  if (path.ends_with("/infer")) path.remove_suffix(6);
  const size_t at = path.find(kModels);
  if (at == std::string_view::npos) {
    if (path.ends_with("/v2")) path.remove_suffix(3);
    target.prefix = path;
    return {};
  }
  target.prefix = path.substr(0, at);
  std::string_view model = path.substr(at + kModels.size());
  constexpr std::string_view kVersions = "/versions/";
  if (const size_t version = model.find(kVersions); version != std::string_view::npos) {
    target.version = percent_decoded(model.substr(version + kVersions.size()));
    model = model.substr(0, version);
  }
  if (model.find('/') != std::string_view::npos) return bad_url(url, "no path of a model");
  target.model = percent_decoded(model);
  return {};
}

// What a server says of itself is checked like anything from outside.
base::Result<tensor::TensorInfo> read_input(simdjson::dom::element element) {
  std::string_view name, type;
  simdjson::dom::array sizes;
  if (element["name"].get(name) != simdjson::SUCCESS ||
      element["datatype"].get(type) != simdjson::SUCCESS ||
      element["shape"].get(sizes) != simdjson::SUCCESS) {
    return absl::DataLossError(
        "the server's metadata has an input without name, datatype or shape");
  }
  tensor::TensorInfo info;
  info.name = name;
  const auto known = tensor::data_type_from_name(type);
  if (!known) {
    return absl::DataLossError(base::str_cat("input '", name, "' has an unknown datatype ", type));
  }
  info.data_type = *known;
  for (const simdjson::dom::element size : sizes) {
    int64_t number = -1;
    if (size.get(number) != simdjson::SUCCESS) number = -1;
    info.shape.push_back(number);
  }
  return info;
}

base::Result<std::string> only_model(const std::vector<std::string>& names, const Target& target) {
  if (names.size() == 1) return names.front();
  return absl::InvalidArgumentError(base::str_cat(
      target.url(), " has ", names.size(), " models that are ready", names.empty() ? "" : ": ",
      base::str_join(names, ", "), "; name one with --model"));
}

base::Status find_http_model(Target& target) {
  const auto body = ask_http(target, "POST", "/v2/repository/index", R"({"ready":true})");
  if (absl::IsFailedPrecondition(body.status())) {
    return absl::InvalidArgumentError(
        base::str_cat(base::message(body.status()), "; name the model with --model"));
  }
  if (!body.ok()) return body.status();
  simdjson::dom::parser parser;
  simdjson::dom::array models;
  if (parser.parse(*body).get(models) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(
        base::str_cat(target.url(), " doesn't list its models; name one with --model"));
  }
  std::vector<std::string> names;
  for (const simdjson::dom::element model : models) {
    std::string_view name;
    if (model["name"].get(name) == simdjson::SUCCESS) names.emplace_back(name);
  }
  SN_ASSIGN(target.model, only_model(names, target));
  return {};
}

base::Result<std::vector<tensor::TensorInfo>> describe_http(Target& target) {
  if (target.model.empty()) SN_TRY(find_http_model(target));
  SN_ASSIGN(const std::string body, ask_http(target, "GET", model_path(target), ""));
  simdjson::dom::parser parser;
  simdjson::dom::array inputs;
  if (parser.parse(body)["inputs"].get(inputs) != simdjson::SUCCESS) {
    return absl::DataLossError(
        base::str_cat(target.url(), ": the metadata of model '", target.model,
                      "' lists no inputs; is it a server of the Open Inference Protocol?"));
  }
  std::vector<tensor::TensorInfo> infos;
  for (const simdjson::dom::element input : inputs) {
    SN_ASSIGN(tensor::TensorInfo info, read_input(input));
    infos.push_back(std::move(info));
  }
  return infos;
}

base::Status grpc_error(const Target& target, const grpc::Status& status) {
  const std::string hint = status.error_code() == grpc::StatusCode::UNAVAILABLE
                               ? "; does a gRPC server listen there?"
                               : "";
  return absl::UnavailableError(base::str_cat(target.url(), ": ", status.error_message(), hint));
}

base::Result<std::vector<tensor::TensorInfo>> describe_grpc(const Target& target) {
  if (target.model.empty()) {
    return absl::InvalidArgumentError(
        base::str_cat(target.url(), " names no model; write ", target.url(), "/MODEL"));
  }
  const auto stub = inference::GRPCInferenceService::NewStub(
      grpc::CreateChannel(target.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  for (const auto& [name, value] : target.headers) context.AddMetadata(name, value);
  inference::ModelMetadataRequest request;
  request.set_name(target.model);
  request.set_version(target.version);
  inference::ModelMetadataResponse metadata;
  const grpc::Status status = stub->ModelMetadata(&context, request, &metadata);
  if (!status.ok()) return grpc_error(target, status);
  std::vector<tensor::TensorInfo> infos;
  for (const auto& input : metadata.inputs()) {
    const auto type = tensor::data_type_from_name(input.datatype());
    if (!type) {
      return absl::DataLossError(
          base::str_cat("input '", input.name(), "' has an unknown datatype ", input.datatype()));
    }
    tensor::TensorInfo info{input.name(), *type};
    info.shape.assign(input.shape().begin(), input.shape().end());
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace

std::string Target::address() const {
  return host.find(':') == std::string::npos ? base::str_cat(host, ":", port)
                                             : base::str_cat("[", host, "]:", port);
}

std::string Target::url() const {
  return base::str_cat(grpc ? "grpc://" : "http://", address(), prefix);
}

bool looks_like_url(std::string_view text) { return text.find("://") != std::string_view::npos; }

base::Result<Target> parse_target(std::string_view url) {
  const size_t end = url.find("://");
  if (end == std::string_view::npos) return bad_url(url, "no scheme in it");
  const std::string_view scheme = url.substr(0, end);
  if (scheme == "https" || scheme == "grpcs") {
    return bad_url(url, base::str_cat(scheme, " is not supported, measure behind the TLS proxy"));
  }
  if (scheme != "http" && scheme != "grpc") {
    return bad_url(url, base::str_cat("unknown scheme '", scheme, "'"));
  }
  Target target;
  target.grpc = scheme == "grpc";
  target.port = target.grpc ? "8001" : "8000";
  const std::string_view rest = url.substr(end + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) return bad_url(url, "'?' or '#' in it");
  const size_t slash = rest.find('/');
  SN_TRY(split_authority(url, rest.substr(0, slash), target));
  if (slash != std::string_view::npos) SN_TRY(split_path(url, rest.substr(slash), target));
  return target;
}

base::Result<std::vector<tensor::TensorInfo>> describe(Target& target) {
  return target.grpc ? describe_grpc(target) : describe_http(target);
}

}  // namespace supernova::bench
