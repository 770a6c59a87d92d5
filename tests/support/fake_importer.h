// An importer whose files are text: the first line is "fake", the others say what its import does,
// such as crash. For tests of what runs imports.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "import/importer.h"
#include "support/onnx_models.h"

namespace supernova::test {

// Lines:
//   crash           aborts
//   exit            ends without an answer
//   garbage         answers what is no answer
//   hang            waits for ever
//   eat             takes memory until there is none
//   refuse          fails as importers do
//   full            can't write to a disk, only to memory
//   beside FILE     reads a file beside the model, and says so
//   silent FILE     the same, and doesn't say so
//   descriptors     notes the descriptors that are open
//   onnx            is a small network (otherwise the artefact is the text of all that was read)
//   light           is imported in the server
class FakeImporter final : public import::Importer {
 public:
  explicit FakeImporter(int version = 1) : version_(version) {}

  std::string_view format() const override { return "fake"; }
  int version() const override { return version_; }

  std::string recognise(const std::string& path) const override {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
      return lines_of(path + "/model.fake").empty() ? "" : path;
    }
    return lines_of(path).empty() ? "" : path;
  }

  bool is_light(const std::string& file) const override {
    return std::filesystem::is_regular_file(file) && read(file).find("light") != kNone;
  }

  base::Result<tensor::ImportedModel> import(const std::string& file,
                                             const tensor::Options& options) const override {
    std::error_code error;
    const bool folder = std::filesystem::is_directory(file, error);
    const std::string model_file = folder ? file + "/model.fake" : file;
    tensor::ImportedModel model;
    model.artefact.format = "onnx";
    model.description.format = "fake";
    model.description.file = file;
    std::string text = read(model_file);
    model.description.byte_size = text.size();
    bool says = false;
    for (const std::string& line : lines_of(model_file)) {
      std::istringstream words(line);
      std::string word;
      std::string argument;
      words >> word >> argument;
      if (word == "refuse") {
        return absl::InvalidArgumentError(base::str_cat(file, ": line 2: is not to be taken"));
      }
      if (word == "beside" || word == "silent") {
        const std::string beside = std::filesystem::path(model_file).parent_path() / argument;
        text += read(beside);
        says |= word == "beside";
        if (says) model.sources.push_back(beside);
      }
      if (word == "descriptors") model.description.notes.push_back(descriptors());
      if (word == "onnx") text = mlp_model();
      misbehave(word);
    }
    if (says) model.sources.push_back(file);
    for (const auto& [key, value] : options) text += base::str_cat(key, "=", value, "\n");
    model.artefact.bytes = tensor::Buffer::copy_of(text);
    model.artefact.path = std::filesystem::path(file).parent_path();
    return model;
  }

 private:
  static constexpr size_t kNone = std::string::npos;

  static std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // Without the first; nothing where that is another.
  static std::vector<std::string> lines_of(const std::string& path) {
    std::istringstream stream(read(path));
    std::string line;
    std::vector<std::string> lines;
    if (!std::getline(stream, line) || line != "fake") return lines;
    lines.push_back(line);
    while (std::getline(stream, line)) lines.push_back(line);
    return lines;
  }

  static std::string descriptors() {
    std::string list;
    for (int file = 0; file < 1024; ++file) {
      if (::fcntl(file, F_GETFD) >= 0) list += base::str_cat(file, " ");
    }
    return list;
  }

  static void misbehave(std::string_view word) {
    if (word == "crash") std::abort();
    if (word == "exit") ::_exit(3);
    if (word == "garbage") ::_exit(::write(4, "what?", 5) == 5 ? 0 : 1);
    while (word == "hang") ::pause();
    std::vector<std::unique_ptr<char[]>> eaten;
    while (word == "eat") {
      constexpr size_t kBite = size_t{16} << 20U;
      eaten.push_back(std::make_unique<char[]>(kBite));
    }
    if (word == "full") {
      char target[64] = {};
      const bool named = ::readlink("/proc/self/fd/5", target, sizeof(target) - 1) > 0;
      if (named && !std::string_view(target).starts_with("/memfd:")) {
        ::signal(SIGXFSZ, SIG_IGN);
        const struct rlimit nothing { 1, 1 };
        ::setrlimit(RLIMIT_FSIZE, &nothing);
      }
    }
  }

  const int version_;
};

}  // namespace supernova::test
