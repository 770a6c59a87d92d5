// A library that is loaded when it is asked for. For children that ask vendors' libraries: never
// unloaded, which many don't survive.
#pragma once

#include <dlfcn.h>

#include <initializer_list>
#include <string>

namespace supernova::device {

class DynamicLibrary {
 public:
  // The first of the names that can be loaded.
  explicit DynamicLibrary(std::initializer_list<const char*> names) {
    for (const char* name : names) {
      handle_ = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
      if (handle_ != nullptr) return;
    }
  }
  bool is_open() const { return handle_ != nullptr; }
  // Null when the library has no such function.
  template <typename Function>
  void find(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(::dlsym(handle_, name));
  }

 private:
  void* handle_ = nullptr;
};

}  // namespace supernova::device
