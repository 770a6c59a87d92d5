// Numbers and texts one after the other as bytes: what a worker and the server tell each other, and
// what an entry of the cache says of its artefact. Reading is bounds-checked and trusts nothing: a
// worker may have been taken over by the file that it read.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace supernova::compile {

class RecordWriter {
 public:
  void number(uint64_t value);
  void text(std::string_view value);
  void texts(const std::vector<std::string>& values);
  void options(const std::map<std::string, std::string>& values);
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// After the first thing that isn't there, ok() is false and everything reads as zero or empty.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : left_(bytes) {}
  uint64_t number();
  int64_t signed_number() { return static_cast<int64_t>(number()); }
  std::string text();
  std::vector<std::string> texts();
  std::map<std::string, std::string> options();
  // How many things of at least `least` bytes each follow; what can't be there is refused.
  size_t count(size_t least);
  bool ok() const { return ok_; }
  // Whether everything was read and nothing is left.
  bool complete() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace supernova::compile
