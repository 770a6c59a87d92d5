// One entry of the cache is one file: a header of one page, the artefact from there on, so that it
// can be mapped, and after it a record that says what it is. The header carries the sizes and the
// SHA-256 of both and is written last: a file cut at any point, or changed anywhere, is not taken.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "base/status.h"
#include "tensor/buffer.h"

namespace supernova::compile {

inline constexpr size_t kEntryHeaderSize = 4096;  // the payload begins behind it

// Fills an empty file. Not thread-safe.
class EntryWriter {
 public:
  // Borrows the descriptor.
  explicit EntryWriter(int file) : file_(file) {}
  base::Status append(std::span<const std::byte> payload);
  base::Status finish(std::string_view record);
  // The first failure to write: the storage is to blame, not what is written.
  const base::Status& status() const { return status_; }

 private:
  base::Status begin();

  const int file_;
  bool begun_ = false;
  uint64_t payload_size_ = 0;
  base::Sha256Sum payload_sum_;
  base::Status status_;
};

struct EntryHeader {
  uint64_t payload_size = 0;
  uint64_t record_size = 0;
  std::string payload_digest;  // SHA-256, hexadecimal
  std::string record_digest;
};

// DATA_LOSS where it is no entry, or not a whole one.
base::Result<EntryHeader> read_entry_header(int file);
// Reads everything and compares the sums.
base::Status verify_entry(int file, const EntryHeader& header);
base::Result<std::string> read_entry_record(int file, const EntryHeader& header);
// Read-only; stays valid when the file is removed. Empty where there is no payload.
base::Result<tensor::Buffer> map_entry_payload(int file, const EntryHeader& header);

}  // namespace supernova::compile
