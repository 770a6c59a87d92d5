#include "import/caffe/recognise.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

#include "import/caffe/net.h"
#include "import/caffe/weights.h"
#include "import/wire/model_file.h"
#include "import/wire/model_folder.h"

namespace supernova::import::caffe {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLookedAt = 4096;

enum class Kind { kOther, kNet, kTrainingNet, kSolver, kWeights, kDamagedNet, kDamagedWeights };

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

std::string extension(const fs::path& path) { return lower(path.extension().string()); }
std::string stem(const fs::path& path) { return lower(path.stem().string()); }

// What lies beside models and is none, and may be large.
bool is_other_file(const fs::path& path) {
  static constexpr std::array<std::string_view, 20> kOthers{
      ".npy", ".npz", ".json", ".md",  ".bin", ".data", ".pbtxt", ".jpg",    ".png", ".csv",
      ".wav", ".so",  ".zip",  ".xml", ".py",  ".onnx", ".pb",    ".tflite", ".pt",  ".h5"};
  return path.filename().string().starts_with('.') ||
         std::find(kOthers.begin(), kOthers.end(), extension(path)) != kOthers.end();
}

bool is_data_type(std::string_view type) {
  static constexpr std::array<std::string_view, 9> kTypes{
      "Data",      "ImageData", "HDF5Data",      "MemoryData",      "WindowData",
      "DummyData", "VideoData", "AnnotatedData", "DataAugmentation"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

// A net that reads a data base: for training, not for use.
bool is_training_net(const TextMessage& net) {
  if (net.find("input") != nullptr) return false;
  bool data = false;
  for (const TextField& field : net.fields) {
    if (field.kind != TextField::Kind::kMessage) continue;
    const TextField* type = field.message->find("type");
    if (type == nullptr) continue;
    const std::string name = unquoted(*type);
    if (name == "Input") return false;
    const std::string_view newer = newer_type(name);
    data |= is_data_type(newer.empty() ? std::string_view(name) : newer);
  }
  return data;
}

bool is_solver(const TextMessage& text) {
  const auto has = [&](std::string_view name) { return text.find(name) != nullptr; };
  return (has("net") || has("train_net") || has("net_param")) &&
         (has("base_lr") || has("max_iter"));
}

Kind kind_of_text(std::string_view bytes, bool is_prototxt) {
  const bool binary = bytes.substr(0, kLookedAt).find('\0') != std::string_view::npos;
  if (binary) return Kind::kOther;
  const auto text = parse_text(bytes);
  if (!text.ok()) return is_prototxt ? Kind::kDamagedNet : Kind::kOther;
  if (is_net(**text)) return is_training_net(**text) ? Kind::kTrainingNet : Kind::kNet;
  return is_prototxt && is_solver(**text) ? Kind::kSolver : Kind::kOther;
}

Kind kind_of(const fs::path& path) {
  const auto file = wire::ModelFile::open(path.string(), wire::ModelFile::Mode::kMap);
  if (!file.ok() || file->bytes().empty()) return Kind::kOther;
  if (is_weights(file->bytes())) return Kind::kWeights;
  if (extension(path) == ".caffemodel") return Kind::kDamagedWeights;
  return kind_of_text(file->bytes(), extension(path) == ".prototxt");
}

bool is_a_net(Kind kind) { return kind == Kind::kNet || kind == Kind::kTrainingNet; }
bool is_a_weights_file(Kind kind) {
  return kind == Kind::kWeights || kind == Kind::kDamagedWeights;
}

struct Found {
  std::vector<std::pair<fs::path, Kind>> nets;
  std::vector<fs::path> weights;
};

Found look(const fs::path& folder) {
  Found found;
  for (const fs::path path :
       wire::files_in(folder.string(), [](const auto& file) { return !is_other_file(file); })) {
    const Kind kind = kind_of(path);
    if (is_a_net(kind)) found.nets.emplace_back(path, kind);
    if (is_a_weights_file(kind)) found.weights.push_back(path);
  }
  std::sort(found.nets.begin(), found.nets.end());
  std::sort(found.weights.begin(), found.weights.end());
  return found;
}

// A name without what tells a net from its weights: "vgg_deploy" and "vgg_iter_5000" are "vgg".
std::string plain_name(const fs::path& path) {
  std::string name = stem(path);
  if (const size_t iter = name.rfind("_iter_"); iter != std::string::npos) name.resize(iter);
  for (const std::string_view word : {"deploy", "train_val", "trainval", "test"}) {
    const size_t at = name.find(word);
    if (at == std::string::npos) continue;
    name.erase(at, word.size());
    break;
  }
  const auto is_edge = [](char c) { return c == '_' || c == '-' || c == '.'; };
  while (!name.empty() && is_edge(name.back())) name.pop_back();
  while (!name.empty() && is_edge(name.front())) name.erase(0, 1);
  return name;
}

int rank_of_net(const std::pair<fs::path, Kind>& net, const std::vector<fs::path>& weights) {
  const std::string name = stem(net.first);
  const bool named_alike = std::any_of(weights.begin(), weights.end(),
                                       [&](const fs::path& file) { return stem(file) == name; });
  int rank = net.second == Kind::kNet ? 8 : 0;
  if (name.find("deploy") != std::string::npos) rank += 4;
  if (named_alike || name == "model") rank += 2;
  if (name.find("train") != std::string::npos || name.find("solver") != std::string::npos) {
    rank -= 4;
  }
  return rank;
}

// The one net that stands out; empty when several do.
fs::path choose_net(const Found& found) {
  fs::path best;
  int best_rank = -100;
  bool tie = false;
  for (const auto& net : found.nets) {
    const int rank = rank_of_net(net, found.weights);
    tie = rank == best_rank || (rank < best_rank && tie);
    if (rank <= best_rank) continue;
    best_rank = rank;
    best = net.first;
  }
  return tie ? fs::path() : best;
}

std::string names(const std::vector<fs::path>& files) {
  std::vector<std::string> out;
  for (const fs::path& file : files) out.push_back(file.filename().string());
  return base::str_join(out, ", ");
}

fs::path folder_of(const fs::path& file) {
  return file.parent_path().empty() ? fs::path(".") : file.parent_path();
}

base::Result<std::string> named_by_option(const tensor::Options& options, const std::string& key,
                                          const fs::path& folder) {
  const auto option = options.find(key);
  if (option == options.end()) return std::string();
  const fs::path path = folder / option->second;  // an absolute one stands for itself
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return absl::NotFoundError(
        base::str_cat("option ", key, " names ", path.string(), ", which is not a file"));
  }
  return path.string();
}

base::Result<std::string> weights_for(const fs::path& net, const Found& found) {
  const auto pick = [&](auto same) {
    std::vector<fs::path> matching;
    std::copy_if(found.weights.begin(), found.weights.end(), std::back_inserter(matching), same);
    return matching.size() == 1 ? matching.front().string() : std::string();
  };
  std::string file = pick([&](const fs::path& path) { return stem(path) == stem(net); });
  if (file.empty()) {
    file = pick([&](const fs::path& path) { return plain_name(path) == plain_name(net); });
  }
  if (!file.empty()) return file;
  if (found.weights.size() < 2) {
    return found.weights.empty() ? std::string() : found.weights.front().string();
  }
  return absl::InvalidArgumentError(
      base::str_cat("several weights lie beside ", net.filename().string(), " (",
                    names(found.weights), "); name yours with option weights=FILE"));
}

base::Result<std::string> net_for(const fs::path& weights, const Found& found) {
  for (const bool exact : {true, false}) {
    std::vector<std::pair<fs::path, Kind>> matching;
    for (const auto& net : found.nets) {
      if (exact ? stem(net.first) == stem(weights) : plain_name(net.first) == plain_name(weights)) {
        matching.push_back(net);
      }
    }
    const fs::path net = choose_net({matching, found.weights});
    if (!net.empty()) return net.string();
  }
  const fs::path net = choose_net(found);
  if (!net.empty()) return net.string();
  if (found.nets.empty()) {
    return absl::NotFoundError(base::str_cat(
        weights.filename().string(),
        " holds weights only (its layers are those of the training); put the net's description, "
        "deploy.prototxt, beside it, or name it with option prototxt=FILE"));
  }
  std::vector<fs::path> nets;
  for (const auto& candidate : found.nets) nets.push_back(candidate.first);
  return absl::InvalidArgumentError(base::str_cat("several nets lie beside ",
                                                  weights.filename().string(), " (", names(nets),
                                                  "); name yours with option prototxt=FILE"));
}

}  // namespace

std::string find_model(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return kind_of(path) != Kind::kOther ? path : "";
  const Found found = look(path);
  if (found.nets.empty()) return found.weights.empty() ? "" : found.weights.front().string();
  const fs::path net = choose_net(found);
  return net.empty() ? path : net.string();
}

base::Result<ModelFiles> find_files(const std::string& file, const tensor::Options& options) {
  std::error_code error;
  const bool is_folder = fs::is_directory(file, error);
  const fs::path folder = is_folder ? fs::path(file) : folder_of(file);
  ModelFiles files;
  SN_ASSIGN(files.net, named_by_option(options, "prototxt", folder));
  SN_ASSIGN(files.weights, named_by_option(options, "weights", folder));
  const Kind kind = is_folder ? Kind::kOther : kind_of(file);
  if (kind == Kind::kSolver) {
    return absl::InvalidArgumentError(
        "this describes a training run (a solver), not a net; name the deploy.prototxt");
  }
  const bool weights_given = is_a_weights_file(kind);
  if (weights_given && files.weights.empty()) files.weights = file;
  if (!weights_given && !is_folder && files.net.empty()) files.net = file;
  if (!files.net.empty() && !files.weights.empty()) return files;
  const Found found = look(folder);
  if (files.net.empty() && !files.weights.empty()) {
    SN_ASSIGN(files.net, net_for(files.weights, found));
    return files;
  }
  if (files.net.empty()) {
    std::vector<fs::path> nets;
    for (const auto& candidate : found.nets) nets.push_back(candidate.first);
    return absl::InvalidArgumentError(
        base::str_cat("the folder holds several nets (", names(nets), "); name the file you mean"));
  }
  SN_ASSIGN(files.weights, weights_for(files.net, found));
  return files;
}

}  // namespace supernova::import::caffe
