#include "protocol/oip/route.h"

#include <algorithm>
#include <vector>

#include "base/json_writer.h"

namespace supernova::protocol::oip {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

base::Result<std::string> decode_name(std::string_view text) {
  std::string name;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(base::str_cat(
          "model name '", text, "' has a '%' without two hexadecimal digits behind it"));
    }
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  const auto refused = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/';
  };
  if (std::any_of(name.begin(), name.end(), refused)) {
    return absl::InvalidArgumentError(
        base::str_cat("model name '", text, "' holds '/' or a control character"));
  }
  if (!base::is_valid_utf8(name)) {
    return absl::InvalidArgumentError(base::str_cat("model name '", text, "' is not valid UTF-8"));
  }
  return name;
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

Endpoint model_endpoint(std::string_view what) {
  if (what == "infer") return Endpoint::kModelInfer;
  if (what == "ready") return Endpoint::kModelReady;
  if (what == "config") return Endpoint::kModelConfig;
  return Endpoint::kUnknown;
}

}  // namespace

base::Result<Route> parse_route(std::string_view target) {
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (path == "/v2") return Route{Endpoint::kServerMetadata, "", ""};
  if (path == "/v2/health/live") return Route{Endpoint::kServerLive, "", ""};
  if (path == "/v2/health/ready") return Route{Endpoint::kServerReady, "", ""};
  constexpr std::string_view kModels = "/v2/models/";
  if (!path.starts_with(kModels)) return Route{};

  // {model}[/versions/{version}][/{what}]
  const std::vector<std::string_view> parts = split(path.substr(kModels.size()));
  Route route;
  size_t next = 1;
  if (parts.size() >= 3 && parts[1] == "versions" && is_number(parts[2])) {
    route.version = std::string(parts[2]);
    next = 3;
  }
  if (parts[0].empty() || parts.size() > next + 1) return Route{};
  route.endpoint = parts.size() == next ? Endpoint::kModelMetadata : model_endpoint(parts[next]);
  if (route.endpoint == Endpoint::kUnknown) return Route{};
  SN_ASSIGN(route.model, decode_name(parts[0]));
  return route;
}

}  // namespace supernova::protocol::oip
