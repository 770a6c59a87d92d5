#include "base/process_usage.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#include "base/text.h"

namespace supernova::base {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

uint64_t number_at(const std::vector<std::string>& words, size_t index) {
  uint64_t number = 0;
  return index < words.size() && parse_whole(words[index], number) ? number : 0;
}

// The value of "Key:   N kB" in /proc/meminfo, in bytes.
uint64_t meminfo(const std::string& text, const std::string& key) {
  const size_t at = text.find(key + ":");
  if (at == std::string::npos) return 0;
  return number_at(words_of(text.substr(at + key.size() + 1, 64)), 0) * 1024;
}

// The machine's start, seconds since the epoch.
double boot_time(const std::string& proc) {
  const std::string text = read_file(proc + "/stat");
  const size_t at = text.find("\nbtime ");
  if (at == std::string::npos) return 0;
  return static_cast<double>(number_at(words_of(text.substr(at + 7, 32)), 0));
}

}  // namespace

ProcessUsage process_usage(const std::string& proc, const std::string& process) {
  ProcessUsage usage;
  const std::string folder = str_cat(proc, "/", process);
  const std::string stat = read_file(folder + "/stat");
  // Fields are counted from behind the program's name, which is in brackets and may hold any byte:
  // proc(5) numbers the first of them 3.
  const size_t name_end = stat.rfind(')');
  if (name_end != std::string::npos) {
    const std::vector<std::string> fields = words_of(stat.substr(name_end + 1));
    const auto field = [&](size_t number) { return number_at(fields, number - 3); };
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    usage.cpu_seconds = static_cast<double>(field(14) + field(15)) / ticks;
    usage.threads = field(20);
    usage.start_time_seconds = boot_time(proc) + static_cast<double>(field(22)) / ticks;
    usage.virtual_bytes = field(23);
    usage.resident_bytes = field(24) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  std::error_code error;
  std::filesystem::directory_iterator at(folder + "/fd", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    ++usage.open_descriptors;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_descriptors = limit.rlim_cur;
  return usage;
}

MachineUsage machine_usage(const std::string& proc) {
  MachineUsage usage;
  const std::string memory = read_file(proc + "/meminfo");
  usage.memory_total_bytes = meminfo(memory, "MemTotal");
  usage.memory_available_bytes = meminfo(memory, "MemAvailable");
  // "cpu user nice system idle iowait irq softirq steal ..."; guests are in user already.
  const std::string stat = read_file(proc + "/stat");
  const std::vector<std::string> cpu = words_of(stat.substr(0, stat.find('\n')));
  for (size_t i = 1; i <= 8; ++i) {
    const uint64_t ticks = number_at(cpu, i);
    usage.cpu_total_ticks += ticks;
    if (i != 4 && i != 5) usage.cpu_busy_ticks += ticks;
  }
  return usage;
}

uint64_t heap_bytes() {
  // Where another allocator is in use (sanitizers), the first call sets this one up: a second at
  // the same time would meet it half made.
  [[maybe_unused]] static const auto first = mallinfo2();
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace supernova::base
