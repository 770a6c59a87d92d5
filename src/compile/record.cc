#include "compile/record.h"

#include <cstring>

namespace supernova::compile {
namespace {

constexpr size_t kNumberSize = sizeof(uint64_t);

}  // namespace

void RecordWriter::number(uint64_t value) {
  char raw[kNumberSize];
  std::memcpy(raw, &value, sizeof(raw));
  bytes_.append(raw, sizeof(raw));
}

void RecordWriter::text(std::string_view value) {
  number(value.size());
  bytes_ += value;
}

void RecordWriter::texts(const std::vector<std::string>& values) {
  number(values.size());
  for (const std::string& value : values) text(value);
}

void RecordWriter::options(const std::map<std::string, std::string>& values) {
  number(values.size());
  for (const auto& [key, value] : values) {
    text(key);
    text(value);
  }
}

uint64_t RecordReader::number() {
  uint64_t value = 0;
  if (left_.size() < kNumberSize) {
    ok_ = false;
    left_ = {};
    return 0;
  }
  std::memcpy(&value, left_.data(), sizeof(value));
  left_.remove_prefix(sizeof(value));
  return value;
}

std::string RecordReader::text() {
  const size_t size = count(1);
  std::string value(left_.substr(0, size));
  left_.remove_prefix(size);
  return value;
}

std::vector<std::string> RecordReader::texts() {
  std::vector<std::string> values;
  for (size_t left = count(kNumberSize); left > 0 && ok_; --left) values.push_back(text());
  return values;
}

std::map<std::string, std::string> RecordReader::options() {
  std::map<std::string, std::string> values;
  for (size_t left = count(2 * kNumberSize); left > 0 && ok_; --left) {
    std::string key = text();
    values[std::move(key)] = text();
  }
  return values;
}

size_t RecordReader::count(size_t least) {
  const uint64_t value = number();
  if (ok_ && value <= left_.size() / least) return static_cast<size_t>(value);
  ok_ = false;
  left_ = {};
  return 0;
}

}  // namespace supernova::compile
