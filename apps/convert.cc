// supernova convert: a model of any supported format as an ONNX file, or why that can't be.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/json_writer.h"
#include "command.h"
#include "import/input_shapes.h"

namespace supernova::apps {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string path;
  std::string output;
  std::vector<std::string> input_shapes;  // NAME=1,3,224,224
  std::vector<std::string> options;       // KEY=VALUE
  bool analyze = false;
  bool json = false;
};

base::Result<tensor::Options> import_options(const ConvertOptions& options) {
  ModelOptions common;
  common.options = options.options;
  SN_ASSIGN(model::LoadOptions load, common.load_options());
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

// Under the final name only once it is whole.
base::Status write_file(const std::string& path, std::string_view content) {
  const std::string part = base::str_cat(path, ".", ::getpid(), ".part");
  std::ofstream stream(part, std::ios::binary);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  std::error_code error;
  if (!stream) {
    const std::string reason = std::strerror(errno);
    fs::remove(part, error);
    return write_failed(path, reason);
  }
  fs::rename(part, path, error);
  if (error) {
    std::error_code ignored;
    fs::remove(part, ignored);
    return write_failed(path, error.message());
  }
  return {};
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

base::Status write_model(const tensor::ImportedModel& model, const std::string& output) {
  const fs::path source = fs::path(model.description.file).parent_path();
  const fs::path target = fs::path(output).parent_path();
  // Weights first: the model never stands without them.
  for (const std::string& name : model.description.external_files) {
    const fs::path copy = target / name;
    std::error_code ignored;  // a folder that can't be made shows when the file is written
    if (fs::path(name).has_parent_path()) fs::create_directories(copy.parent_path(), ignored);
    SN_TRY(copy_whole(source / name, copy));
  }
  if (model.artefact.bytes.size() > 0) return write_file(output, model.artefact.bytes.view());
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
  if (const base::Status status = house.open({}); !status.ok()) return finish(status);
  const auto model = house.importers.provide(options.path, *given);
  if (options.analyze) return print_analysis(model, options.json);
  if (!model.ok()) return finish(model.status());
  if (const base::Status status = write_model(*model, options.output); !status.ok()) {
    return finish(status);
  }
  std::error_code error;
  const auto size = static_cast<unsigned long long>(fs::file_size(options.output, error));
  if (options.json) {
    std::string out = "{\"file\":";
    base::append_json_string(out, options.output);
    std::printf("%s,\"size\":%llu}\n", out.c_str(), size);
  } else {
    std::printf("%s  %llu bytes, from %s\n", options.output.c_str(), size,
                model->description.format.c_str());
    for (const std::string& note : model->description.notes) {
      std::printf("note  %s\n", note.c_str());
    }
  }
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
  command->add_option("--option", options->options, "Importer option; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = convert(*options); });
}

}  // namespace supernova::apps
