// supernova formats: which model formats are taken, and which of their operators.
#include <cstdio>

#include "base/json_writer.h"
#include "command.h"

namespace supernova::apps {
namespace {

void print_text(const import::ImporterRegistry& registry, bool all) {
  for (const auto& importer : registry.importers()) {
    const std::string name(importer->format());
    const auto operators = importer->operators();
    if (operators.empty()) {
      std::printf("%-12s as it is\n", name.c_str());
      continue;
    }
    std::printf("%-12s %zu operators\n", name.c_str(), operators.size());
    if (!all) continue;
    for (const import::SupportedOperator& op : operators) {
      std::printf("  %-40s %s\n", op.name.c_str(), op.notes.c_str());
    }
  }
}

void print_json(const import::ImporterRegistry& registry) {
  std::string out = "[";
  for (const auto& importer : registry.importers()) {
    if (out.back() != '[') out += ',';
    out += "{\"format\":";
    base::append_json_string(out, importer->format());
    out += ",\"operators\":[";
    for (const import::SupportedOperator& op : importer->operators()) {
      if (out.back() != '[') out += ',';
      out += "{\"name\":";
      base::append_json_string(out, op.name);
      out += ",\"notes\":";
      base::append_json_string(out, op.notes);
      out += '}';
    }
    out += "]}";
  }
  std::printf("%s]\n", out.c_str());
}

}  // namespace

void add_formats(CLI::App& app, int& exit_code) {
  struct Options {
    bool operators = false;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("formats", "List the model formats that are supported");
  command->add_flag("--operators", options->operators, "List the operators of each format");
  command->add_flag("--json", options->json, "Print JSON, operators included");
  command->callback([options, &exit_code] {
    import::ImporterRegistry registry;
    import::register_importers(registry);
    if (options->json) {
      print_json(registry);
    } else {
      print_text(registry, options->operators);
    }
    exit_code = 0;
  });
}

}  // namespace supernova::apps
