// supernova: the one command-line program. Wiring only; each command has a file of its own.
#include <unistd.h>

#include <exception>
#include <string_view>

#include "base/log.h"
#include "command.h"

namespace {

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
  if (const auto extra = app.remaining(); deepest == &app && !extra.empty()) {
    std::fprintf(stderr, "error: no command '%s' (see 'supernova --help')\n",
                 extra.front().c_str());
    return 2;
  }
  const std::string command = deepest == &app ? "supernova" : "supernova " + deepest->get_name();
  std::fprintf(stderr, "error: %s (see '%s --help')\n", error.what(), command.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == supernova::apps::kWorkerCommand) {
    return supernova::apps::import_worker();
  }
  int exit_code = 0;
  CLI::App app{"Supernova serves any framework's trained model over REST and gRPC.", "supernova"};
  app.set_version_flag("--version", "supernova " SUPERNOVA_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  std::string log_level = "info";
  app.add_option("--log-level", log_level, "Least level logged to stderr")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
  app.parse_complete_callback([&] {
    using supernova::base::LogLevel;
    const std::map<std::string, LogLevel> levels{{"debug", LogLevel::kDebug},
                                                 {"info", LogLevel::kInfo},
                                                 {"warning", LogLevel::kWarning},
                                                 {"error", LogLevel::kError},
                                                 {"off", LogLevel::kOff}};
    // Offline commands speak through their output; serve logs what it does.
    if (app.count("--log-level") == 0 && !app.got_subcommand("serve")) log_level = "warning";
    supernova::base::set_log_level(levels.at(log_level));
  });
  app.fallthrough();
  supernova::apps::add_serve(app, exit_code);
  supernova::apps::add_infer(app, exit_code);
  supernova::apps::add_inspect(app, exit_code);
  supernova::apps::add_convert(app, exit_code);
  supernova::apps::add_formats(app, exit_code);
  supernova::apps::add_bench(app, exit_code);
  supernova::apps::add_devices(app, exit_code);
  supernova::apps::add_conformance(app, exit_code);
  supernova::apps::add_completion(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return exit_code;
}
