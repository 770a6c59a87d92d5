#include "import/caffe/params.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max();
constexpr size_t kMaxShape = 32;
constexpr size_t kShown = 40;

// "-  3" -> true and "3".
bool take_sign(std::string_view& text) {
  if (!text.starts_with('-')) return false;
  text.remove_prefix(1);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return true;
}

std::optional<double> parse_number(std::string_view text) {
  const bool negative = take_sign(text);
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  double value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (lower == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (const auto whole = parse_integer(text)) {
    value = static_cast<double>(*whole);
  } else {
    if (lower.ends_with('f')) lower.pop_back();
    const auto end = std::from_chars(lower.data(), lower.data() + lower.size(), value);
    if (end.ptr != lower.data() + lower.size() || lower.empty()) return std::nullopt;
    if (end.ec == std::errc::result_out_of_range) value = std::strtod(lower.c_str(), nullptr);
  }
  return negative ? -value : value;
}

}  // namespace

std::optional<int64_t> parse_integer(std::string_view text) {
  const bool negative = take_sign(text);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  int64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || text.front() == '-' || end.ec != std::errc() ||
      end.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

bool Params::has(std::string_view name) const { return find(name) != nullptr; }

size_t Params::count(std::string_view name) const {
  return message_ != nullptr ? message_->count(name) : 0;
}

const TextField* Params::find(std::string_view name) const {
  return message_ != nullptr ? message_->find(name) : nullptr;
}

void Params::refuse(const TextField& field, std::string_view wanted) const {
  if (!status_->ok()) return;
  const std::string_view shown = field.text.substr(0, kShown);
  *status_ = absl::InvalidArgumentError(base::str_cat(
      path_, path_.empty() ? "" : ".", field.name, " at ", to_string(field.position), " is ",
      field.kind == TextField::Kind::kMessage ? "a message" : base::str_cat("'", shown, "'"),
      ", not ", wanted));
}

int64_t Params::to_integer(const TextField& field, int64_t otherwise) const {
  const auto value =
      field.kind == TextField::Kind::kScalar ? parse_integer(field.text) : std::optional<int64_t>();
  if (!value) refuse(field, "a whole number");
  return value.value_or(otherwise);
}

double Params::to_number(const TextField& field, double otherwise) const {
  const auto value =
      field.kind == TextField::Kind::kScalar ? parse_number(field.text) : std::optional<double>();
  if (!value) refuse(field, "a number");
  return value.value_or(otherwise);
}

int64_t Params::integer(std::string_view name, int64_t otherwise) const {
  const TextField* field = find(name);
  return field != nullptr ? to_integer(*field, otherwise) : otherwise;
}

std::optional<int64_t> Params::integer(std::string_view name) const {
  const TextField* field = find(name);
  return field != nullptr ? std::optional(to_integer(*field, 0)) : std::nullopt;
}

double Params::number(std::string_view name, double otherwise) const {
  const TextField* field = find(name);
  return field != nullptr ? to_number(*field, otherwise) : otherwise;
}

bool Params::flag(std::string_view name, bool otherwise) const {
  const TextField* field = find(name);
  if (field == nullptr) return otherwise;
  const std::string_view text = field->text;
  if (field->kind == TextField::Kind::kScalar) {
    if (text == "true" || text == "True" || text == "t" || text == "1") return true;
    if (text == "false" || text == "False" || text == "f" || text == "0") return false;
  }
  refuse(*field, "true or false");
  return otherwise;
}

std::string Params::text(std::string_view name, std::string_view otherwise) const {
  const TextField* field = find(name);
  if (field == nullptr) return std::string(otherwise);
  if (field->kind == TextField::Kind::kMessage) refuse(*field, "text");
  return unquoted(*field);
}

std::string Params::choice(std::string_view name, const std::vector<std::string_view>& names,
                           std::string_view otherwise, int64_t first) const {
  const TextField* field = find(name);
  if (field == nullptr) return std::string(otherwise);
  const std::string word = unquoted(*field);
  if (std::find(names.begin(), names.end(), word) != names.end()) return word;
  const auto number = parse_integer(word);
  if (number && *number >= first && *number - first < static_cast<int64_t>(names.size())) {
    return std::string(names[static_cast<size_t>(*number - first)]);
  }
  refuse(*field, base::str_cat("one of ", base::str_join(names, ", ")));
  return std::string(otherwise);
}

std::vector<int64_t> Params::integers(std::string_view name) const {
  std::vector<int64_t> out;
  if (message_ == nullptr) return out;
  for (const TextField& field : message_->fields) {
    if (field.name == name) out.push_back(to_integer(field, 0));
  }
  return out;
}

std::vector<float> Params::numbers(std::string_view name) const {
  std::vector<float> out;
  if (message_ == nullptr) return out;
  for (const TextField& field : message_->fields) {
    if (field.name == name) out.push_back(static_cast<float>(to_number(field, 0)));
  }
  return out;
}

std::vector<std::string> Params::texts(std::string_view name) const {
  std::vector<std::string> out;
  if (message_ == nullptr) return out;
  for (const TextField& field : message_->fields) {
    if (field.name != name) continue;
    if (field.kind == TextField::Kind::kMessage) refuse(field, "text");
    out.push_back(unquoted(field));
  }
  return out;
}

Params Params::message(std::string_view name) const {
  const TextField* field = find(name);
  if (field != nullptr && field->kind != TextField::Kind::kMessage) refuse(*field, "a message");
  return {field != nullptr ? field->message.get() : nullptr, std::string(name), *status_};
}

std::vector<Params> Params::messages(std::string_view name) const {
  std::vector<Params> out;
  if (message_ == nullptr) return out;
  for (const TextField& field : message_->fields) {
    if (field.name != name) continue;
    if (field.kind != TextField::Kind::kMessage) refuse(field, "a message");
    out.emplace_back(field.message.get(), std::string(name), *status_);
  }
  return out;
}

std::vector<int64_t> Params::shape(int64_t low) const {
  std::vector<int64_t> out;
  if (message_ == nullptr) return out;
  for (const TextField& field : message_->fields) {
    if (field.name != "dim") continue;
    const int64_t size = to_integer(field, 1);
    if (size < low || size > kMaxSize || out.size() == kMaxShape) refuse(field, "a possible size");
    out.push_back(std::clamp(size, low, kMaxSize));
  }
  return out;
}

}  // namespace supernova::import::caffe
