#include "model/config_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>

#include "base/json_writer.h"

namespace supernova::model {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Deeper than any configuration; also what skipping unknown fields may recurse.
constexpr int kMaxDepth = 32;
constexpr size_t kMaxWarnings = 100;

// A line per unknown field, up to a limit, so that a file of nothing else stays cheap.
class Warnings {
 public:
  void add(std::string line) {
    if (++count_ <= kMaxWarnings) lines_.push_back(std::move(line));
  }
  std::vector<std::string> take(std::string_view where) {
    if (count_ > kMaxWarnings) {
      lines_.push_back(
          base::str_cat(where, ": ", count_ - kMaxWarnings, " more unknown fields are ignored"));
    }
    return std::move(lines_);
  }

 private:
  size_t count_ = 0;
  std::vector<std::string> lines_;
};

base::Status check_text(std::string_view text, std::string_view where) {
  if (text.size() > kMaxConfigBytes) {
    return absl::InvalidArgumentError(base::str_cat(
        where, " has ", text.size(), " bytes; a model configuration may have ", kMaxConfigBytes));
  }
  if (!base::is_valid_utf8(text)) {
    return absl::InvalidArgumentError(base::str_cat(where, " is not UTF-8 text"));
  }
  return {};
}

// What is read of `text`, as protobuf reports it: by line and column, both from 0.
class TextProblems : public google::protobuf::io::ErrorCollector {
 public:
  TextProblems(std::string_view text, std::string_view where) : text_(text), where_(where) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') lines_.push_back(i + 1);
    }
  }

  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (error_.empty()) error_ = base::str_cat(place(line, column), ": ", message);
  }

  // Comes at the token after the field's name.
  void AddWarning(int line, google::protobuf::io::ColumnNumber column,
                  const std::string& message) override {
    const auto open = message.find(message.starts_with("Ignoring extension") ? " \"" : "named \"");
    const auto begin = open == std::string::npos ? open : message.find('"', open) + 1;
    const auto end = begin == std::string::npos ? begin : message.find('"', begin);
    if (end == std::string::npos) {
      warnings_.add(base::str_cat(place(line, column), ": ", message));
      return;
    }
    const std::string name = message.substr(begin, end - begin);
    warnings_.add(
        base::str_cat(place_before(line, column, name), ": unknown field '", name, "' is ignored"));
  }

  base::Status status() const {
    return error_.empty() ? base::Status() : absl::InvalidArgumentError(error_);
  }
  std::vector<std::string> take_warnings() { return warnings_.take(where_); }

 private:
  std::string place(int line, int column) const {
    return base::str_cat(where_, ":", line + 1, ":", column + 1);
  }

  // The place of the last `name` that ends before the given one.
  std::string place_before(int line, int column, std::string_view name) const {
    if (line < 0 || static_cast<size_t>(line) >= lines_.size()) return place(line, column);
    // Columns count a tab up to the next multiple of 8, so the line's own bytes are walked.
    size_t end = lines_[static_cast<size_t>(line)];
    for (int at = 0; at < column && end < text_.size(); ++end) {
      at = text_[end] == '\t' ? (at / 8 + 1) * 8 : at + 1;
    }
    const size_t found = text_.substr(0, end).rfind(name);
    if (found == std::string_view::npos) return place(line, column);
    const auto after = std::upper_bound(lines_.begin(), lines_.end(), found);
    return base::str_cat(where_, ":", after - lines_.begin(), ":", found - *(after - 1) + 1);
  }

  std::string_view text_;
  std::string_view where_;
  std::vector<size_t> lines_{0};  // where each starts
  std::string error_;
  Warnings warnings_;
};

base::Status check_message(const Message& message, std::string_view path);

// What the format lets through and nobody behind it can use.
base::Status check_field(const Message& message, const FieldDescriptor& field, int index,
                         const std::string& path) {
  const Reflection& reflection = *message.GetReflection();
  const auto get = [&](auto single, auto repeated) {
    return index < 0 ? (reflection.*single)(message, &field)
                     : (reflection.*repeated)(message, &field, index);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return check_message(index < 0 ? reflection.GetMessage(message, &field)
                                     : reflection.GetRepeatedMessage(message, &field, index),
                           path + ".");
    case FieldDescriptor::CPPTYPE_STRING:
      if (base::is_valid_utf8(get(&Reflection::GetString, &Reflection::GetRepeatedString))) break;
      return absl::InvalidArgumentError(base::str_cat(path, " is not UTF-8 text"));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = get(&Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue);
      if (field.enum_type()->FindValueByNumber(number) != nullptr) break;
      return absl::InvalidArgumentError(
          base::str_cat(path, " has no value ", number, "; write its name"));
    }
    case FieldDescriptor::CPPTYPE_FLOAT:
      if (std::isfinite(get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat))) break;
      return absl::InvalidArgumentError(base::str_cat(path, " is not a finite number"));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (std::isfinite(get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble))) break;
      return absl::InvalidArgumentError(base::str_cat(path, " is not a finite number"));
    default:
      break;
  }
  return {};
}

base::Status check_message(const Message& message, std::string_view path) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name = base::str_cat(path, field->name());
    if (!field->is_repeated()) {
      SN_TRY(check_field(message, *field, -1, name));
      continue;
    }
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
      SN_TRY(check_field(message, *field, i, base::str_cat(name, "[", i, "]")));
    }
  }
  return {};
}

// Whether brackets outside strings nest deeper than any configuration.
bool too_deep(std::string_view json) {
  int depth = 0;
  char quote = 0;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

const FieldDescriptor* find_field(const Descriptor& type, const std::string& name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  return field != nullptr ? field : type.FindFieldByCamelcaseName(name);
}

// Compares the names in a JSON document with the fields of the message it was read as.
class UnknownNames {
 public:
  explicit UnknownNames(std::string_view where) : where_(where) {}

  base::Status object(const google::protobuf::Struct& given, const Descriptor& type,
                      const std::string& path) {
    for (const auto& [name, value] : given.fields()) {
      const std::string inner = path.empty() ? name : base::str_cat(path, ".", name);
      const FieldDescriptor* field = find_field(type, name);
      if (field == nullptr) {
        warnings_.add(base::str_cat(where_, ": unknown field '", inner, "' is ignored"));
        continue;
      }
      if (field->is_map()) {
        for (const auto& [key, item] : value.struct_value().fields()) {
          SN_TRY(one(item, *field->message_type()->map_value(), base::str_cat(inner, ".", key)));
        }
      } else if (value.has_list_value()) {
        for (int i = 0; i < value.list_value().values_size(); ++i) {
          SN_TRY(one(value.list_value().values(i), *field, base::str_cat(inner, "[", i, "]")));
        }
      } else {
        SN_TRY(one(value, *field, inner));
      }
    }
    return {};
  }

  std::vector<std::string> take() { return warnings_.take(where_); }

 private:
  base::Status one(const google::protobuf::Value& value, const FieldDescriptor& field,
                   const std::string& path) {
    if (field.message_type() != nullptr) {
      return object(value.struct_value(), *field.message_type(), path);
    }
    // A reader that overlooks unknown names overlooks these too.
    if (field.enum_type() != nullptr && value.has_string_value() &&
        field.enum_type()->FindValueByName(value.string_value()) == nullptr) {
      return absl::InvalidArgumentError(
          base::str_cat(where_, ": ", path, " has no value '", value.string_value(), "'"));
    }
    return {};
  }

  std::string_view where_;
  Warnings warnings_;
};

// The first line of what protobuf says, which quotes the document in the others.
base::Status json_error(std::string_view where, const google::protobuf::util::Status& status) {
  std::string_view text(status.message().data(), status.message().size());
  text = text.substr(0, text.find('\n'));
  if (text.starts_with(": ")) text.remove_prefix(2);
  return absl::InvalidArgumentError(base::str_cat(where, ": ", text));
}

}  // namespace

base::Result<ParsedConfig> parse_config_text(std::string_view text, std::string_view where) {
  SN_TRY(check_text(text, where));
  ParsedConfig parsed;
  TextProblems problems(text, where);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&problems);
  parser.AllowUnknownField(true);
  parser.SetRecursionLimit(kMaxDepth);
  const bool read = parser.ParseFromString({text.data(), text.size()}, &parsed.config);
  SN_TRY(problems.status());
  if (!read) return absl::InvalidArgumentError(base::str_cat(where, " is no model configuration"));
  SN_TRY(base::annotate(check_message(parsed.config, ""), where));
  parsed.warnings = problems.take_warnings();
  return parsed;
}

base::Result<ParsedConfig> parse_config_json(std::string_view json, std::string_view where) {
  SN_TRY(check_text(json, where));
  if (too_deep(json)) {
    return absl::InvalidArgumentError(base::str_cat(
        where, " is nested deeper than a model configuration can be (", kMaxDepth, " levels)"));
  }
  ParsedConfig parsed;
  const google::protobuf::StringPiece text(json.data(), json.size());
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  auto status = google::protobuf::util::JsonStringToMessage(text, &parsed.config, options);
  if (!status.ok()) {
    parsed.config.Clear();
    options.ignore_unknown_fields = true;
    status = google::protobuf::util::JsonStringToMessage(text, &parsed.config, options);
    if (!status.ok()) return json_error(where, status);
    google::protobuf::Struct document;
    status = google::protobuf::util::JsonStringToMessage(text, &document);
    if (!status.ok()) return json_error(where, status);
    UnknownNames names(where);
    SN_TRY(names.object(document, *parsed.config.GetDescriptor(), ""));
    parsed.warnings = names.take();
  }
  SN_TRY(base::annotate(check_message(parsed.config, ""), where));
  return parsed;
}

}  // namespace supernova::model
