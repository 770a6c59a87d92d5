// Reads one protobuf message field by field, in place: nothing is copied, every length is checked,
// and what is wrong is said with the byte where it is. Knows which wire type each named field must
// have, so a file of another protobuf schema shows itself early. Not thread-safe; the bytes must
// outlive it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"

namespace supernova::import::wire {

enum class WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct FieldType {
  uint32_t number;
  WireType type;
  std::string_view name;
  bool packable = false;  // repeated numbers: one by one, or packed into kBytes
};

struct MessageType {
  std::string_view name;
  std::span<const FieldType> fields;
};

// Where a message lies: `file` is the whole file, for offsets in errors.
struct Place {
  std::string_view file;
  std::string_view message;
};

class Fields {
 public:
  Fields(Place place, const MessageType& type)
      : place_(place), type_(&type), at_(place.message.data()) {}

  // Moves to the next field; false at the end of the message or when it is broken (see status()).
  bool next();
  const base::Status& status() const { return status_; }

  uint32_t number() const { return number_; }
  WireType wire_type() const { return wire_type_; }
  // Whether the schema names the field; a newer writer may add others.
  bool known() const { return field_ != nullptr; }

  // The value of a varint or fixed field; 0 for bytes.
  uint64_t value() const { return value_; }
  int64_t signed_value() const { return static_cast<int64_t>(value_); }
  // The content of a bytes field; empty for the others.
  std::string_view view() const { return view_; }
  Place place() const { return {place_.file, view_}; }
  // The field as it is on the wire, tag included.
  std::string_view raw() const { return {start_, static_cast<size_t>(at_ - start_)}; }

  // Calls `use(int64_t)` for each number of a packable varint field, packed or not.
  template <typename Use>
  base::Status each_varint(Use use);

 private:
  bool read_varint(uint64_t& value, std::string_view what);
  bool read_tag();
  bool read_value();
  bool take(uint64_t size);
  bool fail(std::string_view reason);
  std::string field_words() const;
  const char* end() const { return place_.message.data() + place_.message.size(); }

  Place place_;
  const MessageType* type_;
  const FieldType* field_ = nullptr;
  const char* at_;
  const char* start_ = nullptr;
  uint32_t number_ = 0;
  WireType wire_type_ = WireType::kVarint;
  uint64_t value_ = 0;
  std::string_view view_;
  base::Status status_;
};

// The numbers of a packed field, or an error.
base::Result<int64_t> next_packed(std::string_view& packed);

template <typename Use>
base::Status Fields::each_varint(Use use) {
  if (wire_type_ != WireType::kBytes) {
    use(signed_value());
    return absl::OkStatus();
  }
  std::string_view packed = view_;
  while (!packed.empty()) {
    SN_ASSIGN(const int64_t number, next_packed(packed));
    use(number);
  }
  return absl::OkStatus();
}

}  // namespace supernova::import::wire
