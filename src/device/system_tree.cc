#include "device/system_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/json_writer.h"

namespace supernova::device {
namespace {

// /proc/cpuinfo takes some 2.5 KB a core, of which there are machines with a thousand.
constexpr size_t kMaxContent = size_t{16} << 20;
constexpr size_t kMaxNames = 4096;
constexpr size_t kMaxText = 256;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes the number at the front of `text`, without leading zeros.
std::string_view take_number(std::string_view& text) {
  const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

}  // namespace

std::string read_system_file(const std::string& sysroot, const std::string& path) {
  // Not to wait for the other end of a pipe, which no file of a system tree is.
  const int file = ::open((sysroot + "/" + path).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return "";
  struct stat status {};
  std::string content;
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
    // Such files don't know their size, and nearly all have less than a page: more is asked for
    // only when that much has come.
    while (content.size() < kMaxContent) {
      const size_t before = content.size();
      content.resize(std::min(kMaxContent, std::max<size_t>(4096, 2 * before)));
      const ssize_t got = ::read(file, content.data() + before, content.size() - before);
      content.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
      if (got == 0 || (got < 0 && errno != EINTR)) break;
    }
  }
  ::close(file);
  return content;
}

std::string read_line(const std::string& sysroot, const std::string& path) {
  const std::string content = read_system_file(sysroot, path);
  return printable(trimmed(std::string_view(content).substr(0, content.find('\n'))));
}

uint64_t read_number(const std::string& sysroot, const std::string& path) {
  const std::string line = read_line(sysroot, path);
  if (line.starts_with("0x")) return parse_hex(line);
  uint64_t number = 0;
  const auto end = std::from_chars(line.data(), line.data() + line.size(), number);
  return end.ec == std::errc() ? number : 0;
}

bool exists(const std::string& sysroot, const std::string& path) {
  struct stat status {};
  return ::stat((sysroot + "/" + path).c_str(), &status) == 0;
}

std::vector<std::string> list_folder(const std::string& sysroot, const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(sysroot + "/" + path, error), end;
       !error && it != end && names.size() < kMaxNames; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

std::string link_name(const std::string& sysroot, const std::string& path) {
  std::error_code error;
  const auto target = std::filesystem::read_symlink(sysroot + "/" + path, error);
  return error ? "" : printable(target.filename().string());
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank(" \t\r\n\0", 5);
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string printable(std::string_view text) {
  size_t end = std::min(text.size(), kMaxText);
  // Not in the middle of a character.
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
    --end;
  }
  std::string out(text.substr(0, end));
  const bool is_text = base::is_valid_utf8(out);
  std::erase_if(out, [is_text](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || (!is_text && byte > 0x7f);
  });
  return out;
}

std::string value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(key) || line.size() == key.size()) continue;
    std::string_view rest = line.substr(key.size());
    if (rest.front() != ':' && rest.front() != ' ' && rest.front() != '\t') continue;
    rest = trimmed(rest);
    if (!rest.empty() && rest.front() == ':') rest = trimmed(rest.substr(1));
    return printable(rest);
  }
  return "";
}

uint64_t parse_hex(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  uint64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return end.ec == std::errc() ? number : 0;
}

bool natural_less(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view x = take_number(a);
      const std::string_view y = take_number(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      continue;
    }
    if (a.front() != b.front()) return a.front() < b.front();
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  if (a.empty() != b.empty()) return a.empty();
  return whole_a < whole_b;
}

}  // namespace supernova::device
