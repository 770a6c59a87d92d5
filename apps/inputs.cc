#include "inputs.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "picture.h"
#include "tensor/bytes.h"
#include "tensor/json_tensor.h"
#include "tensor/npy.h"
#include "tensor_folder.h"

namespace supernova::apps {
namespace {

using tensor::DataType;
using tensor::Tensor;
using tensor::TensorInfo;

std::string input_names(const std::vector<TensorInfo>& inputs) {
  std::vector<std::string> names;
  for (const TensorInfo& info : inputs) names.push_back("'" + info.name + "'");
  return base::str_join(names, ", ");
}

struct NamedFile {
  const TensorInfo* input = nullptr;
  std::string file;
};

// NAME=FILE, the name being the longest input name that fits (names may hold '='), or FILE alone.
base::Result<NamedFile> split_input(const std::string& argument,
                                    const std::vector<TensorInfo>& inputs) {
  const TensorInfo* best = nullptr;
  for (const TensorInfo& info : inputs) {
    if (argument.starts_with(info.name + "=") &&
        (best == nullptr || info.name.size() > best->name.size())) {
      best = &info;
    }
  }
  if (best != nullptr) return NamedFile{best, argument.substr(best->name.size() + 1)};
  std::error_code error;
  const size_t equals = argument.find('=');
  if (equals != std::string::npos && !std::filesystem::exists(argument, error)) {
    return absl::InvalidArgumentError(base::str_cat(
        "the model has no input '", argument.substr(0, equals), "'; it has ", input_names(inputs)));
  }
  if (inputs.size() != 1) {
    return absl::InvalidArgumentError(
        base::str_cat("--input ", argument, ": the model has ", inputs.size(),
                      " inputs, say which one with NAME=FILE: ", input_names(inputs)));
  }
  return NamedFile{&inputs.front(), argument};
}

base::Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(base::str_cat("input file '", path, "' is a folder"));
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  if (!stream) {
    return absl::NotFoundError(
        base::str_cat("input file '", path, "' can't be read: ", std::strerror(errno)));
  }
  return std::move(content).str();
}

base::Result<Tensor> read_input(const NamedFile& named, const tensor::Options& options) {
  SN_ASSIGN(const std::string content, read_file(named.file));
  const TensorInfo& info = *named.input;
  Tensor tensor;
  if (content.starts_with("\x93NUMPY")) {
    SN_ASSIGN(tensor, tensor::parse_npy(content, named.file));
  } else if (looks_like_picture(content)) {
    std::string done;
    SN_ASSIGN(tensor, picture_to_tensor(content, named.file, info, options, done));
    std::fprintf(stderr, "input '%s': %s\n", info.name.c_str(), done.c_str());
  } else if (const size_t first = content.find_first_not_of(" \t\r\n");
             first != std::string::npos && content[first] == '{') {
    SN_ASSIGN(tensor, tensor::parse_json_tensor(content, info.data_type, named.file));
  } else {
    return absl::InvalidArgumentError(
        base::str_cat("input file '", named.file,
                      "' is neither .npy, .json {\"shape\":[...],\"data\":[...]} nor a picture"));
  }
  // NumPy has no bfloat16: its bits travel as uint16.
  if (info.data_type == DataType::kBf16 && tensor.data_type == DataType::kUint16) {
    tensor.data_type = DataType::kBf16;
  }
  tensor.name = info.name;
  return tensor;
}

// Nothing where the size may vary, else tensors without elements.
Tensor empty_wrapped(const TensorInfo& info) {
  Tensor tensor;
  tensor.name = info.name;
  tensor.data_type = DataType::kBytes;
  int64_t count = 1;
  for (const int64_t size : info.shape) {
    tensor.shape.push_back(std::max<int64_t>(size, 0));
    count *= tensor.shape.back();
  }
  tensor.buffer = tensor::pack_bytes(
      std::vector<std::string>(static_cast<size_t>(count), "{\"shape\":[0],\"data\":[]}"));
  return tensor;
}

template <typename T, typename Next>
void fill_with(tensor::Buffer& buffer, Next next) {
  for (size_t at = 0; at + sizeof(T) <= buffer.size(); at += sizeof(T)) {
    const T value = next();
    std::memcpy(buffer.data() + at, &value, sizeof(T));
  }
}

// Floats in [0, 1), halves in [1, 2); whole numbers 0 and 1, which are also safe as indices.
void fill_randomly(tensor::Buffer& buffer, DataType type, std::mt19937& random) {
  std::uniform_real_distribution<double> unit(0, 1);
  switch (type) {
    case DataType::kFp32:
      return fill_with<float>(buffer, [&] { return float(unit(random)); });
    case DataType::kFp64:
      return fill_with<double>(buffer, [&] { return unit(random); });
    case DataType::kFp16:
      return fill_with<uint16_t>(buffer, [&] { return uint16_t(0x3C00 | (random() & 0x3FF)); });
    case DataType::kBf16:
      return fill_with<uint16_t>(buffer, [&] { return uint16_t(0x3F80 | (random() & 0x7F)); });
    default:
      break;
  }
  const size_t size = tensor::element_size(type);
  for (size_t at = 0; at + size <= buffer.size(); at += size) {
    buffer.data()[at] = std::byte(random() & 1);
  }
}

base::Result<Tensor> make_tensor(const TensorInfo& info, Fill fill, std::mt19937& random) {
  Tensor tensor;
  tensor.name = info.name;
  tensor.data_type = info.data_type;
  for (const int64_t size : info.shape) tensor.shape.push_back(size < 0 ? 1 : size);
  if (info.data_type == DataType::kBytes) {
    SN_ASSIGN(const int64_t count, tensor::element_count(tensor.shape));
    std::vector<std::string> elements(static_cast<size_t>(count));
    if (fill == Fill::kRandom) {
      for (std::string& element : elements) {
        while (element.size() < 8) element += static_cast<char>('a' + random() % 26);
      }
    }
    tensor.buffer = tensor::pack_bytes(elements);
    return tensor;
  }
  SN_ASSIGN(const size_t bytes, tensor::byte_size(info.data_type, tensor.shape));
  tensor.buffer = tensor::Buffer::allocate(bytes);
  if (tensor.buffer.data() == nullptr) {
    return absl::ResourceExhaustedError(
        base::str_cat("no memory for ", bytes, " bytes of input '", info.name, "'"));
  }
  std::memset(tensor.buffer.data(), 0, bytes);
  if (fill == Fill::kRandom) fill_randomly(tensor.buffer, info.data_type, random);
  return tensor;
}

}  // namespace

bool is_wrapped(std::string_view name, const std::vector<TensorInfo>& described) {
  return std::any_of(described.begin(), described.end(), [&](const TensorInfo& info) {
    return info.name == name && !info.model_type.empty();
  });
}

base::Result<std::vector<Tensor>> read_inputs(const std::vector<std::string>& arguments,
                                              const std::vector<TensorInfo>& inputs,
                                              const std::vector<TensorInfo>& described,
                                              const tensor::Options& options) {
  std::vector<Tensor> tensors;
  std::map<const TensorInfo*, std::vector<std::string>> wrapped;
  for (const std::string& argument : arguments) {
    SN_ASSIGN(const NamedFile named, split_input(argument, inputs));
    if (is_wrapped(named.input->name, described)) {
      wrapped[named.input].push_back(named.file);
      continue;
    }
    SN_ASSIGN(Tensor tensor, read_input(named, options));
    tensors.push_back(std::move(tensor));
  }
  for (const auto& [info, files] : wrapped) {
    SN_ASSIGN(Tensor tensor, read_tensor_files(files, info->shape));
    tensor.name = info->name;
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

base::Result<std::vector<Tensor>> make_inputs(const std::vector<TensorInfo>& inputs,
                                              const std::vector<TensorInfo>& described, Fill fill) {
  std::vector<Tensor> tensors;
  std::mt19937 random(1);
  for (const TensorInfo& info : inputs) {
    if (info.optional) continue;
    if (is_wrapped(info.name, described)) {
      tensors.push_back(empty_wrapped(info));
      continue;
    }
    SN_ASSIGN(Tensor tensor, make_tensor(info, fill, random));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace supernova::apps
