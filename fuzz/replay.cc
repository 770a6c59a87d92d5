// Runs a fuzzer without libFuzzer: `<fuzzer> RUNS SEED_FOLDER|FILE…`. Each seed is run as it is,
// then RUNS variants are made from the seeds by flips, cuts, insertions and joins. The sequence is
// always the same.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;
namespace fs = std::filesystem;

Bytes read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<Bytes> read_seeds(int count, char** paths) {
  std::vector<fs::path> files;
  for (int i = 0; i < count; ++i) {
    if (!fs::is_directory(paths[i])) {
      files.emplace_back(paths[i]);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(paths[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Bytes> seeds;
  for (const auto& file : files) seeds.push_back(read(file));
  return seeds;
}

class Mutator {
 public:
  explicit Mutator(std::vector<Bytes> seeds) : seeds_(std::move(seeds)) {}

  Bytes next() {
    Bytes out = seeds_[below(seeds_.size())];
    for (size_t changes = 1 + below(4); changes > 0; --changes) change(out);
    return out;
  }

 private:
  size_t below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void change(Bytes& bytes) {
    const size_t at = below(bytes.size());
    const auto where = bytes.begin() + static_cast<ptrdiff_t>(at);
    const Bytes& other = seeds_[below(seeds_.size())];
    switch (bytes.empty() ? 3 : below(6)) {
      case 0:
        bytes[at] = static_cast<uint8_t>(bytes[at] ^ 1U << below(8));
        break;
      case 1:
        bytes[at] = std::vector<uint8_t>{0, 1, 0x7f, 0x80, 0xff}[below(5)];
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.insert(where, 1 + below(8), static_cast<uint8_t>(below(256)));
        break;
      case 4:
        bytes.erase(where, where + static_cast<ptrdiff_t>(
                                       1 + below(std::min<size_t>(8, bytes.size() - at))));
        break;
      default:
        bytes.resize(at);
        bytes.insert(bytes.end(), other.begin() + static_cast<ptrdiff_t>(below(other.size())),
                     other.end());
        break;
    }
  }

  std::vector<Bytes> seeds_;
  std::mt19937_64 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view text = argc > 1 ? argv[1] : "";
  uint64_t runs = 0;
  if (argc < 3 || std::from_chars(text.data(), text.data() + text.size(), runs).ec != std::errc()) {
    std::fprintf(stderr, "usage: %s RUNS SEED_FOLDER|FILE...\n", argv[0]);
    return 2;
  }
  const std::vector<Bytes> seeds = read_seeds(argc - 2, argv + 2);
  if (seeds.empty()) {
    std::fprintf(stderr, "error: no seeds\n");
    return 1;
  }
  for (const Bytes& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  Mutator mutator(seeds);
  for (uint64_t run = 0; run < runs; ++run) {
    const Bytes bytes = mutator.next();
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu seeds, %llu variants\n", seeds.size(), static_cast<unsigned long long>(runs));
  return 0;
}
