#include "tensor/tflite/flat.h"

namespace supernova::tensor::tflite {
namespace {
constexpr uint64_t kVtableHead = 4;  // its size and the table's
constexpr uint64_t kOffset = 4;
}  // namespace

void Reader::fail(uint64_t position, std::string_view what) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(
      base::str_cat("byte ", position, ": ", what,
                    " is broken or lies outside the file; the file may be incomplete or damaged"));
}

Table::Table(Reader& reader, uint64_t position) {
  if (!reader.holds(position, kOffset)) {
    reader.fail(position, "a table");
    return;
  }
  const int64_t back = reader.load<int32_t>(position);
  const int64_t vtable = static_cast<int64_t>(position) - back;
  if (vtable < 0 || !reader.holds(static_cast<uint64_t>(vtable), kVtableHead)) {
    reader.fail(position, "a table's list of fields");
    return;
  }
  const auto vtable_at = static_cast<uint64_t>(vtable);
  const auto vtable_size = reader.load<uint16_t>(vtable_at);
  const auto size = reader.load<uint16_t>(vtable_at + 2);
  if (vtable_size < kVtableHead || !reader.holds(vtable_at, vtable_size) || size < kOffset ||
      !reader.holds(position, size)) {
    reader.fail(vtable_at, "a table's list of fields");
    return;
  }
  reader_ = &reader;
  position_ = position;
  vtable_ = vtable_at;
  vtable_size_ = vtable_size;
  size_ = size;
}

Table Table::root(Reader& reader) {
  const auto offset = reader.number<uint32_t>(0, "the root table");
  return reader.ok() ? Table(reader, offset) : Table();
}

uint64_t Table::field(int slot, uint64_t size) const {
  if (reader_ == nullptr || slot < 0) return 0;
  const uint64_t entry = kVtableHead + 2 * static_cast<uint64_t>(slot);
  if (entry + 2 > vtable_size_) return 0;
  const auto offset = reader_->load<uint16_t>(vtable_ + entry);
  if (offset == 0) return 0;
  if (offset + size > size_) {
    reader_->fail(position_, "a field of a table");
    return 0;
  }
  return position_ + offset;
}

uint64_t Table::target(int slot) const {
  const uint64_t at = field(slot, kOffset);
  if (at == 0) return 0;
  const uint64_t to = at + reader_->load<uint32_t>(at);
  if (to == at || !reader_->holds(to, kOffset)) {
    reader_->fail(at, "an offset");
    return 0;
  }
  return to;
}

uint64_t Table::vector(int slot, uint64_t element_size, uint64_t& count) const {
  const uint64_t at = target(slot);
  if (at == 0) return 0;
  count = reader_->load<uint32_t>(at);
  if (!reader_->holds(at + kOffset, count * element_size)) {
    reader_->fail(at, "the length of a vector");
    count = 0;
    return 0;
  }
  return at + kOffset;
}

Table Table::table(int slot) const {
  const uint64_t at = target(slot);
  return at != 0 ? Table(*reader_, at) : Table();
}

Tables Table::tables(int slot) const {
  uint64_t count = 0;
  const uint64_t at = vector(slot, kOffset, count);
  return at != 0 ? Tables(*reader_, at, count) : Tables();
}

std::string_view Table::text(int slot) const {
  uint64_t count = 0;
  const uint64_t at = vector(slot, 1, count);
  return at != 0 ? reader_->file().substr(at, count) : std::string_view();
}

Table Tables::operator[](size_t i) const {
  const uint64_t at = position_ + i * kOffset;
  return {*reader_, at + reader_->load<uint32_t>(at)};
}

}  // namespace supernova::tensor::tflite
