// Configuration to JSON, by reflection: protobuf's own printer writes 64-bit integers as strings,
// which clients of this API do not read.
#include <google/protobuf/descriptor.h>

#include <map>

#include "base/json_writer.h"
#include "model/config_text.h"

namespace supernova::model {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void append_message(std::string& out, const Message& message);

// One value of a field; `index` < 0 for one that is not repeated.
void append_value(std::string& out, const Message& message, const FieldDescriptor& field,
                  int index) {
  const Reflection& reflection = *message.GetReflection();
  const auto get = [&](auto single, auto repeated) {
    return index < 0 ? (reflection.*single)(message, &field)
                     : (reflection.*repeated)(message, &field, index);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return base::append_json_number(
          out, int64_t{get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32)});
    case FieldDescriptor::CPPTYPE_INT64:
      return base::append_json_number(
          out, int64_t{get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64)});
    case FieldDescriptor::CPPTYPE_UINT32:
      return base::append_json_number(
          out, uint64_t{get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32)});
    case FieldDescriptor::CPPTYPE_UINT64:
      return base::append_json_number(
          out, uint64_t{get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64)});
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return base::append_json_number(out,
                                      get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return base::append_json_number(out,
                                      get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat));
    case FieldDescriptor::CPPTYPE_BOOL:
      out += get(&Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false";
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      return base::append_json_string(
          out, get(&Reflection::GetEnum, &Reflection::GetRepeatedEnum)->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return base::append_json_string(out,
                                      get(&Reflection::GetString, &Reflection::GetRepeatedString));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return append_message(out, index < 0 ? reflection.GetMessage(message, &field)
                                           : reflection.GetRepeatedMessage(message, &field, index));
  }
}

// Entries of a map have the fields `key` and `value`; keys are text in JSON. By key, so that a
// configuration always has the same text.
void append_map(std::string& out, const Message& message, const FieldDescriptor& field) {
  const FieldDescriptor& key = *field.message_type()->map_key();
  std::map<std::string, const Message*> entries;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
    std::string text;
    append_value(text, entry, key, -1);
    entries[key.cpp_type() == FieldDescriptor::CPPTYPE_STRING ? text : '"' + text + '"'] = &entry;
  }
  out += '{';
  bool first = true;
  for (const auto& [text, entry] : entries) {
    if (!first) out += ',';
    first = false;
    out += text;
    out += ':';
    append_value(out, *entry, *field.message_type()->map_value(), -1);
  }
  out += '}';
}

void append_repeated(std::string& out, const Message& message, const FieldDescriptor& field) {
  if (field.is_map()) return append_map(out, message, field);
  out += '[';
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    if (i > 0) out += ',';
    append_value(out, message, field, i);
  }
  out += ']';
}

void append_message(std::string& out, const Message& message) {
  const auto& descriptor = *message.GetDescriptor();
  const Reflection& reflection = *message.GetReflection();
  bool first = true;
  out += '{';
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    // What is present or has a default is written out; absent messages and choices are not.
    if (!field.is_repeated() && field.has_presence() && !reflection.HasField(message, &field)) {
      continue;
    }
    if (!first) out += ',';
    first = false;
    base::append_json_string(out, field.name());
    out += ':';
    if (field.is_repeated()) {
      append_repeated(out, message, field);
    } else {
      append_value(out, message, field, -1);
    }
  }
  out += '}';
}

}  // namespace

std::string config_json(const inference::ModelConfig& config) {
  std::string out;
  append_message(out, config);
  return out;
}

}  // namespace supernova::model
