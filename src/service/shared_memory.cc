#include "service/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <limits>
#include <system_error>

namespace supernova::service {

using tensor::Buffer;

// A registered region: the object's descriptor and the mapping around the region.
struct SharedMemory::Mapping {
  Mapping(SharedMemoryRegion registered, int opened)
      : region(std::move(registered)), descriptor(opened) {}
  ~Mapping() {
    if (base != nullptr) ::munmap(base, lead + region.byte_size);
    ::close(descriptor);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::byte* begin() const { return base + lead; }

  SharedMemoryRegion region;
  int descriptor;
  std::byte* base = nullptr;
  size_t lead = 0;  // from the start of the page to the region
};

namespace {

constexpr std::string_view kReservedPrefix = "triton_python_backend_shm_region_";

base::Status refused(const SharedMemoryRegion& region, std::string_view why) {
  return absl::InvalidArgumentError(
      base::str_cat("failed to register shared memory region '", region.name, "': ", why));
}

std::string system_error(int number) { return std::generic_category().message(number); }

// The object's name as a file of the shared memory file system: a single component.
base::Result<std::string> object_name(const SharedMemoryRegion& region) {
  std::string_view name = region.key;
  if (name.starts_with('/')) name.remove_prefix(1);
  if (name.empty()) return refused(region, "its key names no object; write \"/\" and a name");
  if (name.find('/') != std::string_view::npos || name == "." || name == ".." ||
      name.find('\0') != std::string_view::npos || name.size() > NAME_MAX) {
    return refused(region, base::str_cat("key '", region.key,
                                         "' is no name of a shared memory object; it has one '/', "
                                         "in front"));
  }
  if (name.starts_with(kReservedPrefix)) {
    return refused(region, base::str_cat("keys that start with '", kReservedPrefix,
                                         "' are reserved; choose another"));
  }
  return "/" + std::string(name);
}

base::Status check_object(const SharedMemoryRegion& region, int descriptor) {
  struct stat about {};
  if (::fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
    return refused(region, base::str_cat("'", region.key, "' is no shared memory object"));
  }
  const auto size = static_cast<uint64_t>(about.st_size);
  if (region.offset <= size && region.byte_size <= size - region.offset) return {};
  return refused(region, base::str_cat("offset ", region.offset, " and byte_size ",
                                       region.byte_size, " lie beyond the end of '", region.key,
                                       "', which has ", size, " bytes"));
}

base::Status open_failed(const SharedMemoryRegion& region, int number) {
  if (number == EMFILE || number == ENFILE) {
    return absl::ResourceExhaustedError(
        base::str_cat("failed to register shared memory region '", region.name,
                      "': ", system_error(number), "; unregister regions that are no longer used"));
  }
  return refused(region, base::str_cat("Unable to open shared memory region: '", region.key,
                                       "': ", system_error(number)));
}

}  // namespace

base::Status SharedMemory::add(const SharedMemoryRegion& region) {
  if (region.name.empty()) return refused(region, "it has no name");
  if (region.byte_size == 0) return refused(region, "byte_size is 0; write the region's size");
  SN_ASSIGN(const std::string object, object_name(region));
  const int descriptor = ::shm_open(object.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
  if (descriptor < 0) return open_failed(region, errno);
  auto mapping = std::make_shared<Mapping>(region, descriptor);
  SN_TRY(check_object(region, descriptor));
  mapping->lead = region.offset % static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  void* const base =
      ::mmap(nullptr, mapping->lead + region.byte_size, PROT_READ | PROT_WRITE, MAP_SHARED,
             descriptor, static_cast<off_t>(region.offset - mapping->lead));
  if (base == MAP_FAILED) {
    return refused(region, base::str_cat("it can't be mapped: ", system_error(errno)));
  }
  mapping->base = static_cast<std::byte*>(base);

  std::lock_guard lock(mutex_);
  if (regions_.contains(region.name)) {
    return absl::AlreadyExistsError(
        base::str_cat("shared memory region '", region.name, "' already in manager"));
  }
  if (regions_.size() >= kMaxRegions) {
    return absl::ResourceExhaustedError(
        base::str_cat("failed to register shared memory region '", region.name, "': there are ",
                      kMaxRegions, " already; unregister regions that are no longer used"));
  }
  std::erase_if(mappings_, [](const auto& entry) { return entry.second.expired(); });
  mappings_[mapping->begin()] = mapping;
  regions_.emplace(region.name, std::move(mapping));
  return {};
}

void SharedMemory::remove(std::string_view name) {
  // Unmapped outside the lock.
  std::map<std::string, std::shared_ptr<const Mapping>, std::less<>> removed;
  std::lock_guard lock(mutex_);
  if (name.empty()) {
    removed.swap(regions_);
  } else if (const auto found = regions_.find(name); found != regions_.end()) {
    removed.insert(regions_.extract(found));
  }
}

base::Result<std::vector<SharedMemoryRegion>> SharedMemory::list(std::string_view name) const {
  std::lock_guard lock(mutex_);
  std::vector<SharedMemoryRegion> found;
  for (const auto& [key, mapping] : regions_) {
    if (name.empty() || key == name) found.push_back(mapping->region);
  }
  if (name.empty() || !found.empty()) return found;
  return absl::NotFoundError(
      base::str_cat("Unable to find system shared memory region: '", name, "'"));
}

base::Result<Buffer> SharedMemory::part(std::string_view name, uint64_t offset,
                                        uint64_t byte_size) const {
  std::shared_ptr<const Mapping> mapping;
  {
    std::lock_guard lock(mutex_);
    const auto found = regions_.find(name);
    if (found == regions_.end()) {
      return absl::NotFoundError(
          base::str_cat("Unable to find shared memory region: '", name, "'"));
    }
    mapping = found->second;
  }
  const uint64_t size = mapping->region.byte_size;
  if (offset > size || byte_size > size - offset) {
    return absl::InvalidArgumentError(
        base::str_cat("Invalid offset + byte size for shared memory region: '", name, "': offset ",
                      offset, " and byte size ", byte_size, " of ", size, " bytes"));
  }
  if (byte_size > max_part_bytes_) {
    return absl::InvalidArgumentError(
        base::str_cat("a tensor of ", byte_size, " bytes in shared memory region '", name,
                      "' is larger than the limit of ", max_part_bytes_));
  }
  std::byte* const data = mapping->begin() + offset;
  return Buffer::adopt(data, byte_size, [mapping = std::move(mapping)] {});
}

// The buffer keeps its mapping alive, so an address that is found belongs to it.
std::shared_ptr<const SharedMemory::Mapping> SharedMemory::find(const Buffer& buffer) const {
  const std::less<const std::byte*> before;
  std::lock_guard lock(mutex_);
  auto next = mappings_.upper_bound(buffer.data());
  if (buffer.data() == nullptr || next == mappings_.begin()) return nullptr;
  const auto mapping = std::prev(next)->second.lock();
  if (mapping == nullptr) return nullptr;
  const std::byte* const end = mapping->begin() + mapping->region.byte_size;
  return before(end, buffer.data() + buffer.size()) ? nullptr : mapping;
}

bool SharedMemory::holds(const Buffer& buffer) const { return find(buffer) != nullptr; }

base::Result<Buffer> SharedMemory::read(const Buffer& part) const {
  const auto mapping = find(part);
  if (mapping == nullptr) return absl::InternalError("the bytes lie in no shared memory region");
  Buffer copy = Buffer::allocate(part.size());
  if (copy.data() == nullptr) {
    return absl::ResourceExhaustedError(base::str_cat(
        "no memory for ", part.size(), " bytes of region '", mapping->region.name, "'"));
  }
  const uint64_t start =
      mapping->region.offset + static_cast<uint64_t>(part.data() - mapping->begin());
  for (size_t done = 0; done < part.size();) {
    const ssize_t count = ::pread(mapping->descriptor, copy.data() + done, part.size() - done,
                                  static_cast<off_t>(start + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::InternalError(base::str_cat("shared memory region '", mapping->region.name,
                                               "' can't be read: ", system_error(errno)));
    }
    if (count == 0) {
      return absl::InvalidArgumentError(
          base::str_cat("shared memory region '", mapping->region.name,
                        "' has become smaller than it was registered; register it again"));
    }
    done += static_cast<size_t>(count);
  }
  return copy;
}

base::Status SharedMemory::write(const Buffer& part, std::span<const std::byte> bytes) const {
  const auto mapping = find(part);
  if (mapping == nullptr || bytes.size() > part.size()) {
    return absl::InternalError("the bytes lie in no shared memory region");
  }
  const uint64_t start =
      mapping->region.offset + static_cast<uint64_t>(part.data() - mapping->begin());
  // To write beyond its end would make the object larger. (One that shrinks right now does grow
  // again, which harms nobody.)
  struct stat about {};
  if (::fstat(mapping->descriptor, &about) != 0 ||
      static_cast<uint64_t>(about.st_size) < start + bytes.size()) {
    return absl::InvalidArgumentError(
        base::str_cat("shared memory region '", mapping->region.name,
                      "' has become smaller than it was registered; register it again"));
  }
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::pwrite(mapping->descriptor, bytes.data() + done, bytes.size() - done,
                                   static_cast<off_t>(start + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const std::string why = base::str_cat("shared memory region '", mapping->region.name,
                                            "' can't be written: ", system_error(errno));
      return errno == ENOSPC ? absl::ResourceExhaustedError(why) : absl::InternalError(why);
    }
    done += static_cast<size_t>(count);
  }
  return {};
}

}  // namespace supernova::service
