#include "compile/entry_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/file.h"

namespace supernova::compile {
namespace {

constexpr char kMagic[16] = "supernova-entry";
constexpr uint64_t kLayout = 1;
constexpr size_t kPage = kEntryHeaderSize;
constexpr size_t kPiece = size_t{1} << 18U;
constexpr uint64_t kMaxRecord = uint64_t{64} << 20U;

struct RawHeader {
  char magic[16];
  uint64_t layout;
  uint64_t payload_size;
  uint64_t record_size;
  char payload_digest[64];
  char record_digest[64];
  char header_digest[64];  // of what stands before it
};
static_assert(sizeof(RawHeader) <= kPage);

std::string digest_of(std::string_view bytes) {
  base::Sha256Sum sum;
  sum.add(bytes.data(), bytes.size());
  return sum.finish_hex();
}

std::string header_digest(const RawHeader& header) {
  return digest_of({reinterpret_cast<const char*>(&header), offsetof(RawHeader, header_digest)});
}

template <size_t Size>
bool put(char (&to)[Size], const std::string& from) {
  if (from.size() != Size) return false;
  std::memcpy(to, from.data(), Size);
  return true;
}

template <size_t Size>
std::string get(const char (&from)[Size]) {
  return std::string(from, Size);
}

base::Status damaged(std::string_view how) {
  return absl::DataLossError(base::str_cat("is ", how));
}

base::Status compare(int file, uint64_t offset, uint64_t size, const std::string& digest) {
  base::Sha256Sum sum;
  std::vector<std::byte> piece(static_cast<size_t>(std::min<uint64_t>(size, kPiece)));
  while (size > 0) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(size, piece.size()));
    SN_ASSIGN(const size_t got, base::read_at(file, offset, std::span(piece).first(wanted)));
    if (got < wanted) return damaged("cut");
    sum.add(piece.data(), got);
    offset += got;
    size -= got;
  }
  return sum.finish_hex() == digest ? base::Status() : damaged("changed: its SHA-256 is another");
}

}  // namespace

base::Status EntryWriter::begin() {
  if (begun_) return {};
  begun_ = true;
  if (::lseek(file_, kPage, SEEK_SET) < 0) return base::system_error("can't be written");
  return {};
}

base::Status EntryWriter::append(std::span<const std::byte> payload) {
  if (status_.ok()) status_ = begin();
  if (status_.ok()) status_ = base::write_sparsely(file_, payload);
  payload_sum_.add(payload.data(), payload.size());
  payload_size_ += payload.size();
  return status_;
}

base::Status EntryWriter::finish(std::string_view record) {
  if (status_.ok()) status_ = begin();
  if (status_.ok()) status_ = base::write_all(file_, record);
  // It may end in zeros that were left out.
  const auto size = static_cast<off_t>(kPage + payload_size_ + record.size());
  if (status_.ok() && ::ftruncate(file_, size) != 0)
    status_ = base::system_error("can't be written");
  RawHeader header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.layout = kLayout;
  header.payload_size = payload_size_;
  header.record_size = record.size();
  if (!put(header.payload_digest, payload_sum_.finish_hex()) ||
      !put(header.record_digest, digest_of(record)) ||
      !put(header.header_digest, header_digest(header))) {
    return absl::InternalError("OpenSSL computes no SHA-256 here");
  }
  if (status_.ok() && ::lseek(file_, 0, SEEK_SET) < 0)
    status_ = base::system_error("can't be written");
  if (status_.ok()) status_ = base::write_all(file_, std::as_bytes(std::span(&header, 1)));
  return status_;
}

base::Result<EntryHeader> read_entry_header(int file) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return base::system_error("can't be examined");
  RawHeader raw{};
  SN_ASSIGN(const size_t got, base::read_at(file, 0, std::as_writable_bytes(std::span(&raw, 1))));
  if (!S_ISREG(info.st_mode) || got < sizeof(raw) ||
      std::memcmp(raw.magic, kMagic, sizeof(kMagic)) != 0 || raw.layout != kLayout ||
      get(raw.header_digest) != header_digest(raw)) {
    return damaged("no entry of this cache, or its header is damaged");
  }
  EntryHeader header;
  header.payload_size = raw.payload_size;
  header.record_size = raw.record_size;
  header.payload_digest = get(raw.payload_digest);
  header.record_digest = get(raw.record_digest);
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size < kPage || raw.record_size > kMaxRecord || raw.payload_size > size - kPage ||
      raw.record_size != size - kPage - raw.payload_size) {
    return damaged("cut, or longer than it should be");
  }
  return header;
}

base::Status verify_entry(int file, const EntryHeader& header) {
  SN_TRY(compare(file, kPage, header.payload_size, header.payload_digest));
  return compare(file, kPage + header.payload_size, header.record_size, header.record_digest);
}

base::Result<std::string> read_entry_record(int file, const EntryHeader& header) {
  std::string record(header.record_size, '\0');
  SN_ASSIGN(const size_t got,
            base::read_at(file, kPage + header.payload_size,
                          std::as_writable_bytes(std::span(record.data(), record.size()))));
  if (got < record.size()) return damaged("cut");
  return record;
}

base::Result<tensor::Buffer> map_entry_payload(int file, const EntryHeader& header) {
  if (header.payload_size == 0) return tensor::Buffer();
  const size_t size = header.payload_size;
  void* map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, kPage);
  if (map == MAP_FAILED) return base::system_error("can't be mapped");
  return tensor::Buffer::adopt(map, size, [map, size] { ::munmap(map, size); });
}

}  // namespace supernova::compile
