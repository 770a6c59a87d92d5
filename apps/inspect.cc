// supernova inspect: what a model file is, what goes in and out, and what would run it here.
#include <cstdio>

#include "base/json_writer.h"
#include "command.h"
#include "model_config.pb.h"
#include "placement_text.h"
#include "protocol/oip/placement_json.h"

namespace supernova::apps {
namespace {

using base::append_json_number;
using base::append_json_string;

struct InspectOptions {
  ModelOptions model;
  std::string path;
  bool placement = false;
  bool json = false;
};

struct Inspection {
  tensor::ModelDescription description;
  std::vector<tensor::TensorInfo> inputs;
  std::vector<tensor::TensorInfo> outputs;
  std::string engine;   // "" = none
  std::string device;   // that it runs on, or several: "nvidia:0, cpu"
  std::string problem;  // why not
  std::string digest;   // of the content: "sha256:..."
};

base::Result<Inspection> look_into(const InspectOptions& options) {
  House house;
  SN_TRY(house.open(options.model));
  SN_ASSIGN(const model::LoadOptions load, options.model.load_options());
  const base::Status status = house.models.load({"model", 1, options.path}, load);
  if (!status.ok()) {
    // A model that nothing here runs can still be described, if it can be imported.
    SN_ASSIGN(tensor::ImportedModel imported, house.artefacts.provide(options.path, load.options));
    tensor::ModelDescription& described = imported.description;
    return Inspection{
        described, described.inputs, described.outputs, "", "", std::string(base::message(status)),
        ""};
  }
  SN_ASSIGN(const auto version, house.models.find("model", ""));
  const model::ModelConfig& config = version->config();
  Inspection seen{
      version->description(), config.inputs, config.outputs, config.proto->backend(), "", "", ""};
  std::vector<std::string> devices;
  for (const auto& instance : version->placement()->instances) devices.push_back(instance.device);
  seen.device = base::str_join(devices, ", ");
  // An engine that takes the file as it is leaves nothing to import, which the rest is known from.
  if (seen.description.operators.empty()) {
    const auto imported = house.artefacts.provide(options.path, load.options);
    if (imported.ok()) {
      seen.description = imported->description;
      seen.description.notes.clear();
    }
  }
  return seen;
}

base::Result<Inspection> look(const InspectOptions& options) {
  SN_ASSIGN(Inspection seen, look_into(options));
  SN_ASSIGN(auto content, model::digest_content(options.path, [] { return false; }));
  seen.digest = std::move(content.digest);
  return seen;
}

std::string shape_text(const tensor::TensorInfo& info) {
  if (!info.rank_known) return "[...]";
  std::string out = "[";
  for (size_t i = 0; i < info.shape.size(); ++i) {
    if (i > 0) out += ",";
    const bool named = i < info.dim_names.size() && !info.dim_names[i].empty();
    out += info.shape[i] < 0 && named ? info.dim_names[i] : std::to_string(info.shape[i]);
  }
  return out + "]";
}

void print_tensors(const char* title, const std::vector<tensor::TensorInfo>& infos) {
  std::printf("%s\n", title);
  for (const tensor::TensorInfo& info : infos) {
    std::printf("  %-32s %-7s %s%s\n", info.name.c_str(),
                std::string(tensor::data_type_name(info.data_type)).c_str(),
                shape_text(info).c_str(), info.optional ? " optional" : "");
  }
}

void print_text(const Inspection& seen) {
  const tensor::ModelDescription& d = seen.description;
  std::printf("file      %s\ndigest    %s\nformat    %s (%s)\nproducer  %s\nsize      %llu bytes\n",
              d.file.c_str(), seen.digest.c_str(), d.format.c_str(), d.version.c_str(),
              d.producer.empty() ? "not said" : d.producer.c_str(),
              static_cast<unsigned long long>(d.byte_size));
  print_tensors("inputs", seen.inputs);
  print_tensors("outputs", seen.outputs);
  std::printf("operators\n ");
  for (const auto& [name, count] : d.operators) {
    std::printf(" %s:%lld", name.c_str(), static_cast<long long>(count));
  }
  std::printf("\n");
  for (const std::string& note : d.notes) std::printf("note      %s\n", note.c_str());
  if (seen.engine.empty()) {
    std::printf("runs on   nothing here: %s\n", seen.problem.c_str());
  } else {
    std::printf("runs on   %s, %s\n", seen.engine.c_str(), seen.device.c_str());
  }
}

void append_tensors(std::string& out, const std::vector<tensor::TensorInfo>& infos) {
  out += '[';
  for (const tensor::TensorInfo& info : infos) {
    if (out.back() != '[') out += ',';
    out += "{\"name\":";
    append_json_string(out, info.name);
    out += ",\"datatype\":";
    append_json_string(out, tensor::data_type_name(info.data_type));
    out += ",\"shape\":" + (info.rank_known ? tensor::shape_to_string(info.shape) : "null");
    out += info.optional ? ",\"optional\":true}" : "}";
  }
  out += ']';
}

void print_json(const Inspection& seen) {
  const tensor::ModelDescription& d = seen.description;
  std::string out;
  const auto text = [&](const char* key, std::string_view value) {
    out += out.empty() ? "{\"" : ",\"";
    out += key;
    out += "\":";
    append_json_string(out, value);
  };
  text("file", d.file);
  text("digest", seen.digest);
  text("format", d.format);
  text("version", d.version);
  text("producer", d.producer);
  out += ",\"size\":";
  append_json_number(out, d.byte_size);
  out += ",\"inputs\":";
  append_tensors(out, seen.inputs);
  out += ",\"outputs\":";
  append_tensors(out, seen.outputs);
  out += ",\"operators\":{";
  for (const auto& [name, count] : d.operators) {
    if (out.back() != '{') out += ',';
    append_json_string(out, name);
    out += ':';
    append_json_number(out, count);
  }
  out += "},\"notes\":[";
  for (const std::string& note : d.notes) {
    if (out.back() != '[') out += ',';
    append_json_string(out, note);
  }
  out += ']';
  if (seen.engine.empty()) {
    out += ",\"engine\":null";
    text("problem", seen.problem);
  } else {
    text("engine", seen.engine);
    text("device", seen.device);
  }
  std::printf("%s}\n", out.c_str());
}

// Where it would run, once it is open and has run. A model that nothing runs has a report, too.
base::Status show_placement(const InspectOptions& options) {
  House house;
  SN_TRY(house.open(options.model));
  SN_ASSIGN(model::LoadOptions load, options.model.load_options());
  load.warm_up = true;
  SN_ASSIGN(model::VersionSource source, model::source_from_argument(options.path));
  const base::Status loaded = house.models.load(source, load);
  const service::Service service(house.models);
  const auto placement = service.placement({}, source.name, "");
  if (!placement.ok()) return loaded.ok() ? placement.status() : loaded;
  const std::string text =
      options.json ? protocol::oip::placement_json(*placement) + "\n" : placement_text(*placement);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return loaded;
}

int inspect(const InspectOptions& options) {
  if (options.placement) return finish(show_placement(options));
  const auto seen = look(options);
  if (!seen.ok()) return finish(seen.status());
  options.json ? print_json(*seen) : print_text(*seen);
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand("inspect", "Show what a model is and what would run it");
  command->add_option("MODEL", options->path, "Model file or folder")->required();
  command->add_flag("--placement", options->placement,
                    "Show which engine runs it on which device, which operators do not run there, "
                    "and why not the others");
  command->add_flag("--json", options->json, "Print JSON");
  options->model.add_to(*command);
  command->callback([options, &exit_code] { exit_code = inspect(*options); });
}

}  // namespace supernova::apps
