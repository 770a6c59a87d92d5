// supernova convert: a model of any supported format as an ONNX file, or why that can't be.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <span>

#include "base/file.h"
#include "base/json_writer.h"
#include "command.h"
#include "import/input_shapes.h"
#include "import/onnx/move_external_data.h"

namespace supernova::apps {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOrdinaryFile = 0666;  // without what the umask takes away

struct ConvertOptions {
  std::string path;
  std::string output;
  std::vector<std::string> input_shapes;  // NAME=1,3,224,224
  ModelOptions common;                    // of which --option and the cache's are offered
  bool analyze = false;
  bool json = false;
};

base::Result<tensor::Options> import_options(const ConvertOptions& options) {
  SN_ASSIGN(model::LoadOptions load, options.common.load_options());
  for (const std::string& shape : options.input_shapes) {
    const size_t equals = shape.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(
          base::str_cat("--input-shape ", shape, ": give it as NAME=1,3,224,224"));
    }
    load.options[base::str_cat(import::kInputShapeOption, shape.substr(0, equals))] =
        shape.substr(equals + 1);
  }
  return load.options;
}

base::Status write_failed(const std::string& path, std::string_view reason) {
  return absl::UnavailableError(base::str_cat("'", path, "' can't be written: ", reason));
}

// Under the final name only once it is whole. Zeros are left out where they fill blocks.
base::Status write_file(const std::string& path, std::string_view content) {
  const std::string part = base::str_cat(path, ".", ::getpid(), ".part");
  const base::File file(
      ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOrdinaryFile));
  const base::Status status = [&]() -> base::Status {
    if (!file.is_open()) return base::system_error("can't be made");
    SN_TRY(
        base::write_sparsely(file.get(), std::as_bytes(std::span(content.data(), content.size()))));
    if (::ftruncate(file.get(), static_cast<off_t>(content.size())) != 0 ||
        std::rename(part.c_str(), path.c_str()) != 0) {
      return base::system_error("can't be written");
    }
    return {};
  }();
  if (status.ok()) return {};
  ::unlink(part.c_str());
  return write_failed(path, base::message(status));
}

base::Status copy_whole(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (fs::equivalent(from, to, error)) return {};
  const fs::path part = base::str_cat(to.string(), ".", ::getpid(), ".part");
  fs::copy_file(from, part, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(part, to, error);
  if (!error) return {};
  std::error_code ignored;
  fs::remove(part, ignored);
  return write_failed(to.string(), error.message());
}

// Where its weights go if they are too large for the model's own file, else "".
std::string data_file(const tensor::ImportedModel& model, const std::string& output) {
  return model.artefact.weights.size() > 0 ? output + ".data" : "";
}

base::Status write_model(const tensor::ImportedModel& model, const std::string& output) {
  // An ONNX model's other files are weights, which it finds by their place beside it. First, so
  // that the model never stands without them.
  const std::string& file = model.description.file;
  for (const std::string& source : model.sources) {
    if (model.description.format != "onnx" || source == file) continue;
    const fs::path place = fs::path(source).lexically_relative(fs::path(file).parent_path());
    const fs::path copy = fs::path(output).parent_path() / place;
    std::error_code ignored;  // a folder that can't be made shows when the file is written
    if (place.has_parent_path()) fs::create_directories(copy.parent_path(), ignored);
    SN_TRY(copy_whole(source, copy));
  }
  const std::string_view bytes = model.artefact.bytes.view();
  if (const std::string data = data_file(model, output); !data.empty()) {
    SN_ASSIGN(const std::string moved,
              import::onnx::move_external_data(bytes, fs::path(data).filename().string(),
                                               tensor::kWeightsBase));
    SN_TRY(write_file(data, model.artefact.weights.view()));
    return write_file(output, moved);
  }
  if (!bytes.empty()) return write_file(output, bytes);
  return copy_whole(model.artefact.path, output);
}

int64_t total(const std::map<std::string, int64_t>& operators) {
  int64_t out = 0;
  for (const auto& [name, count] : operators) out += count;
  return out;
}

// One line for each reason of an importer's error.
std::vector<std::string> reasons(std::string_view message) {
  std::vector<std::string> out;
  if (const size_t list = message.find(":\n"); list != std::string_view::npos) {
    message.remove_prefix(list + 2);
  }
  while (true) {
    const size_t end = message.find(";\n");
    out.emplace_back(message.substr(0, end));
    if (end == std::string_view::npos) return out;
    message.remove_prefix(end + 2);
  }
}

void print_analysis_json(const base::Result<tensor::ImportedModel>& model) {
  std::string out = base::str_cat("{\"convertible\":", model.ok(), ",\"operators\":{");
  if (model.ok()) {
    for (const auto& [name, count] : model->description.operators) {
      if (out.back() != '{') out += ',';
      base::append_json_string(out, name);
      out += ':';
      base::append_json_number(out, count);
    }
  }
  out += "},\"problems\":[";
  if (!model.ok()) {
    for (const std::string& reason : reasons(base::message(model.status()))) {
      if (out.back() != '[') out += ',';
      base::append_json_string(out, reason);
    }
  }
  std::printf("%s]}\n", out.c_str());
}

int print_analysis(const base::Result<tensor::ImportedModel>& model, bool json) {
  if (json) {
    print_analysis_json(model);
    return model.ok() ? 0 : 1;
  }
  if (!model.ok()) {
    for (const std::string& reason : reasons(base::message(model.status()))) {
      std::printf("%s\n", reason.c_str());
    }
    return finish(absl::UnimplementedError("the model can't be converted; the reasons are above"));
  }
  const tensor::ModelDescription& d = model->description;
  std::printf("%s (%s): all %lld operators can be converted\n", d.format.c_str(), d.version.c_str(),
              static_cast<long long>(total(d.operators)));
  for (const auto& [name, count] : d.operators) {
    std::printf("  %-32s %lld\n", name.c_str(), static_cast<long long>(count));
  }
  for (const std::string& note : d.notes) std::printf("note  %s\n", note.c_str());
  return 0;
}

void print_written(const tensor::ImportedModel& model, const ConvertOptions& options) {
  std::error_code error;
  const auto size = static_cast<unsigned long long>(fs::file_size(options.output, error));
  const std::string data = data_file(model, options.output);
  const auto data_size = static_cast<unsigned long long>(model.artefact.weights.size());
  if (options.json) {
    std::string out = "{\"file\":";
    base::append_json_string(out, options.output);
    std::printf("%s,\"size\":%llu", out.c_str(), size);
    if (!data.empty()) {
      out = ",\"data_file\":";
      base::append_json_string(out, data);
      std::printf("%s,\"data_size\":%llu", out.c_str(), data_size);
    }
    std::printf("}\n");
    return;
  }
  std::printf("%s  %llu bytes, from %s\n", options.output.c_str(), size,
              model.description.format.c_str());
  if (!data.empty()) {
    std::printf("%s  %llu bytes, the model's weights; the two files belong together\n",
                data.c_str(), data_size);
  }
  for (const std::string& note : model.description.notes) {
    std::printf("note  %s\n", note.c_str());
  }
}

int convert(const ConvertOptions& options) {
  if (options.analyze == !options.output.empty()) {
    std::fprintf(stderr,
                 "error: give either -o OUT.onnx or --analyze (see 'supernova convert "
                 "--help')\n");
    return 2;
  }
  const auto given = import_options(options);
  if (!given.ok()) return finish(given.status());
  House house;
  if (const base::Status status = house.open(options.common); !status.ok()) return finish(status);
  const auto model = house.artefacts.provide(options.path, *given);
  if (options.analyze) return print_analysis(model, options.json);
  if (!model.ok()) return finish(model.status());
  if (const base::Status status = write_model(*model, options.output); !status.ok()) {
    return finish(status);
  }
  print_written(*model, options);
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand("convert", "Write a model as an ONNX file");
  command->add_option("MODEL", options->path, "Model file or folder")->required();
  command->add_option("-o,--output", options->output, "ONNX file to write")->type_name("FILE");
  command
      ->add_option("--input-shape", options->input_shapes,
                   "Sizes of an input that the model leaves open; may be repeated")
      ->type_name("NAME=1,3,224,224")
      ->expected(1)
      ->take_all();
  command->add_flag("--analyze", options->analyze,
                    "Write nothing; list every operator that can't be converted");
  command->add_option("--option", options->common.options, "Importer option; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  options->common.artefacts.add_to(*command);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = convert(*options); });
}

}  // namespace supernova::apps
