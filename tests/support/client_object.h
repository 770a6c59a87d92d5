// A shared memory object as a client of the server makes one. Its bytes count up from 0.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/text.h"

namespace supernova::testing_support {

class ClientObject {
 public:
  explicit ClientObject(size_t size, std::string_view suffix = "")
      : key_(base::str_cat("/supernova_test_", ::getpid(), suffix)),
        descriptor_(::shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600)) {
    EXPECT_GE(descriptor_, 0);
    resize(size);
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i);
    EXPECT_EQ(::pwrite(descriptor_, bytes.data(), size, 0), static_cast<ssize_t>(size));
  }
  ~ClientObject() {
    ::close(descriptor_);
    ::shm_unlink(key_.c_str());
  }
  ClientObject(const ClientObject&) = delete;
  ClientObject& operator=(const ClientObject&) = delete;

  void resize(size_t size) const {
    EXPECT_EQ(::ftruncate(descriptor_, static_cast<off_t>(size)), 0);
  }
  std::string read(size_t offset, size_t size) const {
    std::string bytes(size, '\0');
    EXPECT_EQ(::pread(descriptor_, bytes.data(), size, static_cast<off_t>(offset)),
              static_cast<ssize_t>(size));
    return bytes;
  }
  size_t size() const {
    struct stat about {};
    EXPECT_EQ(::fstat(descriptor_, &about), 0);
    return static_cast<size_t>(about.st_size);
  }
  const std::string& key() const { return key_; }

 private:
  std::string key_;
  int descriptor_;
};

}  // namespace supernova::testing_support
