#include "service/header_forward.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <string>

namespace supernova::service {
namespace {

constexpr std::array<std::string_view, 7> kReserved{
    "sequence_id", "sequence_start", "sequence_end",      "priority",
    "timeout",     "headers",        "binary_data_output"};

bool reserved(std::string_view name) {
  return name.starts_with("triton_") ||
         std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

base::Result<HeaderForward> HeaderForward::compile(std::string_view pattern,
                                                   std::string_view flag) {
  HeaderForward made;
  if (pattern.empty()) return made;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(false);
  options.set_never_capture(true);
  auto regex = std::make_shared<const re2::RE2>(piece(pattern), options);
  if (!regex->ok()) {
    return absl::InvalidArgumentError(base::str_cat(
        flag, " '", pattern, "' is not a regular expression of RE2's syntax: ", regex->error()));
  }
  made.regex_ = std::move(regex);
  return made;
}

base::Status HeaderForward::forward(std::string_view name, std::string_view value,
                                    tensor::Parameters& parameters) const {
  if (regex_ == nullptr || !re2::RE2::FullMatch(piece(name), *regex_)) return {};
  if (reserved(lower(name))) {
    return absl::InvalidArgumentError(base::str_cat(
        "header '", name, "' would be forwarded as a parameter whose name is reserved for Triton ",
        "usage; leave it out, or have the operator narrow the pattern of forwarded headers"));
  }
  parameters.insert_or_assign(std::string(name), tensor::Parameter(std::string(value)));
  return {};
}

}  // namespace supernova::service
