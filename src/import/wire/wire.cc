#include "import/wire/wire.h"

#include <cstring>
#include <protozero/exception.hpp>
#include <protozero/varint.hpp>

namespace supernova::import::wire {
namespace {

constexpr uint64_t kMaxFieldNumber = (1U << 29U) - 1;

enum class VarintState { kGood, kCut, kTooLong };

VarintState decode(const char** at, const char* end, uint64_t& value) {
  try {
    value = protozero::decode_varint(at, end);
    return VarintState::kGood;
  } catch (const protozero::end_of_buffer_exception&) {
    return VarintState::kCut;
  } catch (const protozero::varint_too_long_exception&) {
    return VarintState::kTooLong;
  }
}

}  // namespace

bool Fields::next() {
  if (!status_.ok() || at_ == end()) return false;
  start_ = at_;
  field_ = nullptr;
  number_ = 0;
  value_ = 0;
  view_ = {};
  return read_tag() && read_value();
}

bool Fields::read_tag() {
  uint64_t tag = 0;
  if (!read_varint(tag, "a tag")) return false;
  const uint64_t number = tag >> 3U;
  if (number == 0 || number > kMaxFieldNumber) return fail("that is no field number");
  number_ = static_cast<uint32_t>(number);
  wire_type_ = static_cast<WireType>(tag & 7U);
  for (const FieldType& field : type_->fields) {
    if (field.number == number_) field_ = &field;
  }
  switch (wire_type_) {
    case WireType::kVarint:
    case WireType::kFixed64:
    case WireType::kBytes:
    case WireType::kFixed32:
      break;
    default:
      return fail("its wire type is none that models use");
  }
  const bool fits = field_ == nullptr || field_->type == wire_type_ ||
                    (field_->packable && wire_type_ == WireType::kBytes);
  return fits || fail("its wire type is not the one of this field");
}

bool Fields::read_value() {
  switch (wire_type_) {
    case WireType::kVarint:
      return read_varint(value_, "a number");
    case WireType::kBytes: {
      uint64_t size = 0;
      return read_varint(size, "a length") && take(size);
    }
    case WireType::kFixed32:
    case WireType::kFixed64: {
      if (!take(wire_type_ == WireType::kFixed32 ? 4 : 8)) return false;
      std::memcpy(&value_, view_.data(), view_.size());  // little-endian, as the host is
      view_ = {};
      return true;
    }
  }
  return false;
}

bool Fields::read_varint(uint64_t& value, std::string_view what) {
  switch (decode(&at_, end(), value)) {
    case VarintState::kGood:
      return true;
    case VarintState::kCut:
      return fail(base::str_cat(what, " is cut off"));
    case VarintState::kTooLong:
      return fail(base::str_cat(what, " is longer than ten bytes"));
  }
  return false;
}

bool Fields::take(uint64_t size) {
  const auto left = static_cast<uint64_t>(end() - at_);
  if (size > left) {
    return fail(base::str_cat("it should have ", size, " bytes, but only ", left, " are left"));
  }
  view_ = {at_, static_cast<size_t>(size)};
  at_ += size;
  return true;
}

std::string Fields::field_words() const {
  if (number_ == 0) return std::string(type_->name);
  if (field_ == nullptr) return base::str_cat("field ", number_, " of ", type_->name);
  return base::str_cat("field ", field_->name, " of ", type_->name);
}

bool Fields::fail(std::string_view reason) {
  const size_t start = static_cast<size_t>(start_ - place_.file.data());
  // A field of the outermost message that runs past its end is a file that was cut.
  const bool whole_file = place_.message.size() == place_.file.size();
  const bool cut = reason.ends_with("left") || reason.ends_with("cut off");
  status_ = absl::InvalidArgumentError(
      whole_file && cut
          ? base::str_cat("truncated at byte ", place_.file.size(), " in ", field_words(),
                          ", which starts at byte ", start, ": ", reason)
          : base::str_cat("damaged at byte ", start, " in ", field_words(), ": ", reason));
  return false;
}

base::Result<int64_t> next_packed(std::string_view& packed) {
  const char* at = packed.data();
  uint64_t value = 0;
  if (decode(&at, packed.data() + packed.size(), value) != VarintState::kGood) {
    return absl::InvalidArgumentError("damaged: a packed list of numbers ends inside a number");
  }
  packed.remove_prefix(static_cast<size_t>(at - packed.data()));
  return static_cast<int64_t>(value);
}

}  // namespace supernova::import::wire
