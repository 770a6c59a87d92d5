#include "protocol/oip/route.h"

#include <algorithm>
#include <array>

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
      return absl::InvalidArgumentError(
          base::str_cat("name '", text, "' has a '%' without two hexadecimal digits behind it"));
    }
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  const auto refused = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/';
  };
  if (std::any_of(name.begin(), name.end(), refused)) {
    return absl::InvalidArgumentError(
        base::str_cat("name '", text, "' holds '/' or a control character"));
  }
  if (!base::is_valid_utf8(name)) {
    return absl::InvalidArgumentError(base::str_cat("name '", text, "' is not valid UTF-8"));
  }
  return name;
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// More segments than any path of the tables has.
constexpr size_t kMaxSegments = 12;

// The parts between slashes, 0 when there are too many.
size_t split(std::string_view path, std::array<std::string_view, kMaxSegments>& parts) {
  for (size_t count = 0; count < kMaxSegments;) {
    const size_t slash = path.find('/');
    parts[count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return count;
    path.remove_prefix(slash + 1);
  }
  return 0;
}

std::string PathArguments::*argument(std::string_view name) {
  if (name == "model") return &PathArguments::model;
  if (name == "version") return &PathArguments::version;
  if (name == "region") return &PathArguments::region;
  SN_CHECK(name == "repository");
  return &PathArguments::repository;
}

std::string allowed_methods(const std::vector<const Route*>& routes) {
  std::vector<std::string_view> methods;
  for (const Route* route : routes) {
    methods.push_back(route->method);
    if (route->method == "GET") methods.push_back("HEAD");
  }
  return base::str_join(methods, ", ");
}

}  // namespace

Router::Router(std::span<const RouteTable> tables) {
  for (const RouteTable& table : tables) {
    for (const Route& route : table.routes) {
      const std::string_view pattern = route.pattern;
      const size_t open = pattern.find('[');
      if (open == std::string_view::npos) {
        add(std::string(pattern), "", route);
        continue;
      }
      const size_t close = pattern.find(']');
      const std::string_view part = pattern.substr(open + 1, close - open - 1);
      const size_t brace = part.find('{');
      add(base::str_cat(pattern.substr(0, open), pattern.substr(close + 1)), "", route);
      add(base::str_cat(pattern.substr(0, open), part, pattern.substr(close + 1)),
          std::string(part.substr(brace + 1, part.find('}') - brace - 1)), route);
    }
  }
}

void Router::add(std::string text, std::string variant, const Route& route) {
  const auto same = std::find_if(paths_.begin(), paths_.end(),
                                 [&](const Path& path) { return path.text == text; });
  if (same != paths_.end()) {
    same->routes.push_back(&route);
    return;
  }
  std::array<std::string_view, kMaxSegments> parts;
  std::vector<Segment> segments(split(text, parts));
  SN_CHECK(!segments.empty());
  for (size_t i = 0; i < segments.size(); ++i) {
    if (!parts[i].starts_with('{')) {
      segments[i].literal = std::string(parts[i]);
      continue;
    }
    const size_t close = parts[i].find('}');
    segments[i].name = argument(parts[i].substr(1, close - 1));
    segments[i].literal = std::string(parts[i].substr(close + 1));
  }
  segments_.push_back(std::move(segments));
  paths_.push_back({std::move(text), std::move(variant), {&route}});
}

base::Result<Router::Match> Router::match(std::string_view method, std::string_view target) const {
  std::array<std::string_view, kMaxSegments> parts;
  const size_t count = split(target.substr(0, target.find_first_of("?#")), parts);
  const auto fits = [&](const std::vector<Segment>& segments) {
    if (segments.size() != count) return false;
    for (size_t i = 0; i < count; ++i) {
      const Segment& segment = segments[i];
      if (segment.name == nullptr
              ? parts[i] != segment.literal
              : parts[i].size() <= segment.literal.size() || !parts[i].ends_with(segment.literal)) {
        return false;
      }
      if (segment.name == &PathArguments::version && !is_number(parts[i])) return false;
    }
    return true;
  };
  const auto found = std::find_if(segments_.begin(), segments_.end(), fits);
  Match match;
  if (found == segments_.end()) return match;

  const Path& path = paths_[static_cast<size_t>(found - segments_.begin())];
  if (method == "HEAD") method = "GET";
  for (const Route* route : path.routes) {
    if (route->method == method) match.route = route;
  }
  if (match.route == nullptr) {
    match.allow = allowed_methods(path.routes);
    return match;
  }
  for (size_t i = 0; i < count; ++i) {
    const Segment& segment = (*found)[i];
    if (segment.name == nullptr) continue;
    SN_ASSIGN(match.arguments.*segment.name,
              decode_name(parts[i].substr(0, parts[i].size() - segment.literal.size())));
  }
  return match;
}

}  // namespace supernova::protocol::oip
