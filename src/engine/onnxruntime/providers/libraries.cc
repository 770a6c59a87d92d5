#include "engine/onnxruntime/providers/libraries.h"

#include <absl/strings/str_split.h>
#include <dlfcn.h>
#include <elf.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace supernova::engine::onnxruntime {
namespace {

constexpr char kLoaderCache[] = "/etc/ld.so.cache";
constexpr const char* kFolders[] = {
    "/lib",   "/usr/lib",   "/lib/x86_64-linux-gnu",  "/usr/lib/x86_64-linux-gnu",
    "/lib64", "/usr/lib64", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu"};
constexpr size_t kMaxSection = size_t{64} << 20;

// The sections of an ELF file that the dynamic loader reads; a file that is none has none.
class ElfFile {
 public:
  explicit ElfFile(const std::string& path) : file_(path, std::ios::binary) {
    Elf64_Ehdr header{};
    if (!read(0, &header, sizeof(header)) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shentsize != sizeof(Elf64_Shdr)) {
      return;
    }
    sections_.resize(header.e_shnum);
    if (!read(header.e_shoff, sections_.data(), sections_.size() * sizeof(Elf64_Shdr))) {
      sections_.clear();
    }
  }

  // Calls use(entry, strings) for each entry of the section of that type.
  template <typename Entry, typename Use>
  void each(uint32_t type, const Use& use) {
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type != type || section.sh_link >= sections_.size()) continue;
      const std::string entries = content(section);
      const std::string strings = content(sections_[section.sh_link]);
      for (size_t at = 0; at + sizeof(Entry) <= entries.size(); at += sizeof(Entry)) {
        Entry entry;
        std::memcpy(&entry, entries.data() + at, sizeof(entry));
        use(entry, strings);
      }
    }
  }

 private:
  bool read(uint64_t offset, void* to, size_t size) {
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(offset));
    return static_cast<bool>(
        file_.read(static_cast<char*>(to), static_cast<std::streamsize>(size)));
  }
  std::string content(const Elf64_Shdr& section) {
    if (section.sh_size > kMaxSection) return "";
    std::string bytes(section.sh_size, '\0');
    return read(section.sh_offset, bytes.data(), bytes.size()) ? bytes : "";
  }

  std::ifstream file_;
  std::vector<Elf64_Shdr> sections_;
};

#if defined(__aarch64__)
constexpr uint16_t kThisMachine = EM_AARCH64;
#else
constexpr uint16_t kThisMachine = EM_X86_64;
#endif

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "ARM64";
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit ARM";
    case EM_RISCV:
      return "RISC-V";
    default:
      return base::str_cat("another processor (ELF machine ", machine, ")");
  }
}

std::string text_at(const std::string& strings, uint64_t offset) {
  return offset < strings.size() ? std::string(strings.c_str() + offset) : "";
}

bool is_file(const std::string& folder, const std::string& name) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::path(folder) / name, error);
}

// The cache ends with the paths it knows, each closed by a zero byte.
bool in_loader_cache(const std::string& name) {
  std::ifstream file(kLoaderCache, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  std::string path = base::str_cat("/", name);
  path.push_back('\0');
  return content.str().find(path) != std::string::npos;
}

}  // namespace

std::vector<std::string> needed_libraries(const std::string& path) {
  std::vector<std::string> needed;
  ElfFile(path).each<Elf64_Dyn>(SHT_DYNAMIC, [&](const Elf64_Dyn& entry, const auto& strings) {
    if (entry.d_tag == DT_NEEDED) needed.push_back(text_at(strings, entry.d_un.d_val));
  });
  return needed;
}

bool exports(const std::string& path, std::string_view function) {
  bool found = false;
  ElfFile(path).each<Elf64_Sym>(SHT_DYNSYM, [&](const Elf64_Sym& symbol, const auto& strings) {
    found = found || (symbol.st_shndx != SHN_UNDEF && text_at(strings, symbol.st_name) == function);
  });
  return found;
}

std::string why_no_library(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return "it is a folder";
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::str_cat("it can't be read: ", std::strerror(errno));
  // What comes before the difference between 32 and 64 bits is the same in both.
  Elf64_Ehdr header{};
  file.read(reinterpret_cast<char*>(&header), sizeof(header));
  const auto read = static_cast<size_t>(file.gcount());
  if (read < sizeof(Elf32_Ehdr) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return "it is no shared library";
  }
  if (header.e_machine != kThisMachine) {
    return base::str_cat("it is built for ", machine_name(header.e_machine), ", not for ",
                         machine_name(kThisMachine));
  }
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error || size < header.e_shoff ||
      size - header.e_shoff < uint64_t{header.e_shnum} * header.e_shentsize) {
    return "its end is missing: copy or download it again";
  }
  return "";
}

bool is_installed(const std::string& name) {
  if (void* loaded = dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD)) {
    dlclose(loaded);
    return true;
  }
  if (const char* folders = std::getenv("LD_LIBRARY_PATH"); folders != nullptr) {
    for (const std::string& folder :
         std::vector<std::string>(absl::StrSplit(folders, ':', absl::SkipEmpty()))) {
      if (is_file(folder, name)) return true;
    }
  }
  for (const char* folder : kFolders) {
    if (is_file(folder, name)) return true;
  }
  return in_loader_cache(name);
}

}  // namespace supernova::engine::onnxruntime
