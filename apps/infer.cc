// supernova infer: runs a model once (or N times), offline, through the same service as a request.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <set>
#include <sstream>

#include "base/json_writer.h"
#include "command.h"
#include "inputs.h"
#include "model_config.pb.h"
#include "service/service.h"
#include "tensor/bytes.h"
#include "tensor/json_tensor.h"
#include "tensor/npy.h"
#include "tensor_folder.h"

namespace supernova::apps {
namespace {

using tensor::DataType;
using tensor::Tensor;
using tensor::TensorInfo;

struct InferOptions {
  ModelOptions model;
  std::string path;
  std::vector<std::string> inputs;  // NAME=FILE or FILE
  std::string output_dir;
  int repeat = 1;
  bool json = false;
};

base::Result<tensor::Request> make_request(const InferOptions& options,
                                           const model::ModelConfig& config,
                                           const std::vector<TensorInfo>& described,
                                           const tensor::Options& load_options) {
  tensor::Request request;
  request.model_name = config.proto->name();
  if (!options.inputs.empty()) {
    SN_ASSIGN(request.inputs, read_inputs(options.inputs, config.inputs, described, load_options));
    return request;
  }
  SN_ASSIGN(request.inputs, make_inputs(config.inputs, described, Fill::kZeros));
  if (!request.inputs.empty()) {
    std::fprintf(stderr, "no --input given: zeros of the model's own shapes\n");
  }
  return request;
}

base::Result<tensor::Response> infer_once(service::Service& service,
                                          const tensor::Request& request) {
  std::promise<base::Result<tensor::Response>> promise;
  auto future = promise.get_future();
  service.infer({}, request, [&promise](base::Result<tensor::Response> result) {
    promise.set_value(std::move(result));
  });
  return future.get();
}

// NAME with every character outside [A-Za-z0-9._-] replaced, and a number added on collision.
std::string file_stem(std::string_view name, std::set<std::string>& taken) {
  std::string stem(name);
  for (char& c : stem) {
    const bool kept =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
    if (!kept) c = '_';
  }
  // "", "." and ".." name no file of their own.
  if (stem.find_first_not_of('.') == std::string::npos) stem = "_" + stem;
  std::string unique = stem;
  for (int i = 1; !taken.insert(unique).second; ++i) unique = base::str_cat(stem, "_", i);
  return unique;
}

base::Status write_output(const Tensor& output, const std::string& path) {
  std::string content;
  if (output.data_type == DataType::kBytes) {
    SN_ASSIGN(content, tensor::format_json_tensor(output));
  } else {
    SN_ASSIGN(content, tensor::format_npy(output));
  }
  std::ofstream stream(path, std::ios::binary);
  stream << content;
  stream.close();
  if (stream) return {};
  return absl::UnavailableError(
      base::str_cat("output file '", path, "' can't be written: ", std::strerror(errno)));
}

// A file for each output, a folder for one that is no tensor in the model.
base::Result<std::vector<std::string>> write_outputs(const tensor::Response& response,
                                                     const std::vector<TensorInfo>& described,
                                                     const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::PermissionDeniedError(
        base::str_cat("output folder '", folder, "' can't be made: ", error.message()));
  }
  std::set<std::string> taken;
  std::vector<std::string> files;
  for (const Tensor& output : response.outputs) {
    const bool wrapped = is_wrapped(output.name, described);
    const char* const extension = wrapped                                ? ""
                                  : output.data_type == DataType::kBytes ? ".json"
                                                                         : ".npy";
    files.push_back(std::filesystem::path(folder) / (file_stem(output.name, taken) + extension));
    SN_TRY(wrapped ? write_tensor_folder(output, files.back())
                   : write_output(output, files.back()));
  }
  return files;
}

template <typename T>
void append_numbers(std::string& out, const Tensor& tensor, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, tensor.buffer.data() + i * sizeof(T), sizeof(T));
    if (i > 0) out += ' ';
    base::append_text(out, value);
  }
}

// The first few elements, for people.
std::string preview(const Tensor& tensor) {
  constexpr size_t kShown = 8;
  const size_t size = tensor::element_size(tensor.data_type);
  std::string out;
  if (tensor.data_type == DataType::kBytes) {
    const auto count = tensor::element_count(tensor.shape);
    const auto elements = tensor::unpack_bytes(tensor.buffer.view(), count.ok() ? *count : 0);
    if (!elements.ok()) return out;
    for (size_t i = 0; i < std::min(kShown, elements->size()); ++i) {
      if (i > 0) out += ' ';
      base::append_json_string(out, (*elements)[i].substr(0, 64));
    }
    return out + (elements->size() > kShown ? " ..." : "");
  }
  const size_t count = std::min(kShown, tensor.buffer.size() / size);
  switch (tensor.data_type) {
    case DataType::kBool:
    case DataType::kUint8:
      append_numbers<uint8_t>(out, tensor, count);
      break;
    case DataType::kInt8:
      append_numbers<int8_t>(out, tensor, count);
      break;
    case DataType::kUint16:
      append_numbers<uint16_t>(out, tensor, count);
      break;
    case DataType::kInt16:
      append_numbers<int16_t>(out, tensor, count);
      break;
    case DataType::kUint32:
      append_numbers<uint32_t>(out, tensor, count);
      break;
    case DataType::kInt32:
      append_numbers<int32_t>(out, tensor, count);
      break;
    case DataType::kUint64:
      append_numbers<uint64_t>(out, tensor, count);
      break;
    case DataType::kInt64:
      append_numbers<int64_t>(out, tensor, count);
      break;
    case DataType::kFp32:
      append_numbers<float>(out, tensor, count);
      break;
    case DataType::kFp64:
      append_numbers<double>(out, tensor, count);
      break;
    default:
      return "(16-bit floats: see the file)";
  }
  return out + (tensor.buffer.size() / size > count ? " ..." : "");
}

// The first few of the tensors that the elements are: "FP32 [2] 1 2; FP32 [1] 3".
std::string preview_wrapped(const Tensor& tensor) {
  constexpr size_t kShown = 4;
  const auto count = tensor::element_count(tensor.shape);
  const auto elements = tensor::unpack_bytes(tensor.buffer.view(), count.ok() ? *count : 0);
  std::string out;
  for (size_t i = 0; elements.ok() && i < std::min(kShown, elements->size()); ++i) {
    const std::string_view content = (*elements)[i];
    const auto one = content.starts_with('{')
                         ? tensor::parse_json_tensor(content, DataType::kBytes, "")
                         : tensor::parse_npy(content, "");
    if (!one.ok()) continue;
    out += base::str_cat(i > 0 ? "; " : "", tensor::data_type_name(one->data_type), " ",
                         tensor::shape_to_string(one->shape), " ", preview(*one));
  }
  return out + (elements.ok() && elements->size() > kShown ? "; ..." : "");
}

void print_result(const tensor::Response& response, const std::vector<TensorInfo>& described,
                  const std::vector<std::string>& files, const std::vector<double>& milliseconds,
                  bool json) {
  std::vector<double> sorted = milliseconds;
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted[sorted.size() / 2];
  if (!json) {
    for (size_t i = 0; i < response.outputs.size(); ++i) {
      const Tensor& output = response.outputs[i];
      std::printf("%s %s %s", output.name.c_str(),
                  std::string(tensor::data_type_name(output.data_type)).c_str(),
                  tensor::shape_to_string(output.shape).c_str());
      std::printf(files.empty() ? ": %s\n" : " -> %s\n", !files.empty() ? files[i].c_str()
                                                         : is_wrapped(output.name, described)
                                                             ? preview_wrapped(output).c_str()
                                                             : preview(output).c_str());
    }
    if (milliseconds.size() > 1) {
      std::printf("%zu runs: median %.3f ms, best %.3f ms\n", sorted.size(), median,
                  sorted.front());
    }
    return;
  }
  std::string out = "{\"outputs\":[";
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    const Tensor& output = response.outputs[i];
    out += i == 0 ? "{\"name\":" : ",{\"name\":";
    base::append_json_string(out, output.name);
    out += ",\"datatype\":";
    base::append_json_string(out, tensor::data_type_name(output.data_type));
    out += ",\"shape\":" + tensor::shape_to_string(output.shape);
    if (!files.empty()) {
      out += ",\"file\":";
      base::append_json_string(out, files[i]);
    }
    out += '}';
  }
  out += "],\"runs\":";
  base::append_json_number(out, static_cast<uint64_t>(sorted.size()));
  out += ",\"median_ms\":";
  base::append_json_number(out, median);
  std::printf("%s}\n", out.c_str());
}

base::Status infer(const InferOptions& options) {
  House house;
  SN_TRY(house.open(options.model));
  SN_ASSIGN(const model::LoadOptions load, options.model.load_options());
  SN_ASSIGN(model::VersionSource source, model::source_from_argument(options.path));
  SN_TRY(house.models.load(source, load));
  service::Service service(house.models);
  SN_ASSIGN(const model::ModelConfig config, service.model_config({}, source.name, ""));
  SN_ASSIGN(const model::VersionHandle version, house.models.find(source.name, ""));
  const tensor::ModelDescription& described = version->description();
  SN_ASSIGN(const tensor::Request request,
            make_request(options, config, described.inputs, load.options));

  base::Result<tensor::Response> response = absl::InternalError("nothing was run");
  std::vector<double> milliseconds;
  for (int i = 0; i < options.repeat; ++i) {
    const auto started = std::chrono::steady_clock::now();
    response = infer_once(service, request);
    if (!response.ok()) return response.status();
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started)
            .count());
  }
  std::vector<std::string> files;
  if (!options.output_dir.empty()) {
    SN_ASSIGN(files, write_outputs(*response, described.outputs, options.output_dir));
  }
  print_result(*response, described.outputs, files, milliseconds, options.json);
  return {};
}

}  // namespace

void add_infer(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<InferOptions>();
  CLI::App* command = app.add_subcommand("infer", "Run a model once, offline");
  command->add_option("MODEL", options->path, "Model file or folder, or NAME=PATH")->required();
  command
      ->add_option("--input", options->inputs,
                   "Input from FILE: .npy, .json {\"shape\":[...],\"data\":[...]}, or a picture; "
                   "zeros without any. A sequence: one --input for each tensor of it, or a folder "
                   "of 0.npy, 1.npy, ...")
      ->type_name("[NAME=]FILE")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--output-dir", options->output_dir,
                   "Write one file per output here; a sequence as a folder")
      ->type_name("DIR");
  command->add_option("--repeat", options->repeat, "Run N times and print the median time")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  options->model.add_to(*command);
  command->callback([options, &exit_code] { exit_code = finish(infer(*options)); });
}

}  // namespace supernova::apps
