// Reads a FlatBuffers file in place. Every offset, length and alignment-free access is checked when
// it is made; what is broken gives a default and notes the first error, with its byte, in the
// Reader. So users read on without looking and ask Reader::status() at the end of a step. The
// format: google.github.io/flatbuffers, "FlatBuffer Internals". One thread at a time; the file
// must outlive all views.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::tensor::tflite {

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::string_view file() const { return file_; }
  bool ok() const { return status_.ok(); }
  const base::Status& status() const { return status_; }
  // Notes what is wrong at `position`, unless something was before.
  void fail(uint64_t position, std::string_view what);
  bool holds(uint64_t position, uint64_t size) const {
    return position <= file_.size() && size <= file_.size() - position;
  }
  // A number at a checked position.
  template <typename T>
  T load(uint64_t position) const {
    T value{};
    std::memcpy(&value, file_.data() + position, sizeof(T));
    return value;
  }
  // As above, checked here.
  template <typename T>
  T number(uint64_t position, std::string_view what);

 private:
  std::string_view file_;
  base::Status status_;
};

template <typename T>
T Reader::number(uint64_t position, std::string_view what) {
  if (holds(position, sizeof(T))) return load<T>(position);
  fail(position, what);
  return T{};
}

// A vector of numbers; its extent was checked when it was made.
template <typename T>
class Numbers {
 public:
  Numbers() = default;
  Numbers(const char* data, size_t size) : data_(data), size_(size) {}
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T operator[](size_t i) const {
    T value{};
    std::memcpy(&value, data_ + i * sizeof(T), sizeof(T));
    return value;
  }
  std::string_view bytes() const { return {data_, size_ * sizeof(T)}; }
  std::vector<T> copy() const {
    std::vector<T> out(size_);
    if (size_ != 0) std::memcpy(out.data(), data_, size_ * sizeof(T));
    return out;
  }

 private:
  const char* data_ = "";
  size_t size_ = 0;
};

class Tables;

// One table; a default-made one has no fields.
class Table {
 public:
  Table() = default;
  // The table at `position`; without fields when it is broken.
  Table(Reader& reader, uint64_t position);
  static Table root(Reader& reader);

  bool present() const { return reader_ != nullptr; }
  uint64_t position() const { return position_; }
  bool has(int slot) const { return field(slot, 0) != 0; }

  template <typename T>
  T number(int slot, T otherwise = T{}) const {
    const uint64_t at = field(slot, sizeof(T));
    return at != 0 ? reader_->load<T>(at) : otherwise;
  }
  int32_t integer(int slot, int32_t otherwise = 0) const {
    return number<int32_t>(slot, otherwise);
  }
  int8_t byte(int slot, int8_t otherwise = 0) const { return number<int8_t>(slot, otherwise); }
  bool flag(int slot, bool otherwise = false) const {
    return number<uint8_t>(slot, otherwise ? 1 : 0) != 0;
  }
  float real(int slot, float otherwise = 0) const { return number<float>(slot, otherwise); }

  Table table(int slot) const;
  Tables tables(int slot) const;
  std::string_view text(int slot) const;
  template <typename T>
  Numbers<T> numbers(int slot) const {
    uint64_t count = 0;
    const uint64_t at = vector(slot, sizeof(T), count);
    if (at == 0) return {};
    return Numbers<T>(reader_->file().data() + at, count);
  }

 private:
  friend class Tables;
  // Where the field's content is; 0 = left out.
  uint64_t field(int slot, uint64_t size) const;
  // Where the thing that a field points at is; 0 = left out.
  uint64_t target(int slot) const;
  // Position of a vector's first element; 0 = left out.
  uint64_t vector(int slot, uint64_t element_size, uint64_t& count) const;

  Reader* reader_ = nullptr;
  uint64_t position_ = 0;
  uint64_t vtable_ = 0;
  uint16_t vtable_size_ = 0;
  uint16_t size_ = 0;
};

// A vector of tables.
class Tables {
 public:
  Tables() = default;
  Tables(Reader& reader, uint64_t position, uint64_t count)
      : reader_(&reader), position_(position), count_(count) {}
  size_t size() const { return count_; }
  Table operator[](size_t i) const;
  // Where the offset of table i is; it counts from there.
  uint64_t entry(size_t i) const { return position_ + i * sizeof(uint32_t); }

 private:
  Reader* reader_ = nullptr;
  uint64_t position_ = 0;
  uint64_t count_ = 0;
};

}  // namespace supernova::tensor::tflite
