// supernova completion: shell completion made from the commands and options themselves.
#include <cstdio>

#include "command.h"

namespace supernova::apps {
namespace {

std::string join_options(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  }
  return words;
}

std::string bash_script(const CLI::App& app) {
  std::string commands;
  std::string cases;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    commands += command->get_name() + " ";
    cases += "    " + command->get_name() + ") words=\"" + join_options(*command) + "\" ;;\n";
  }
  return "# bash: source <(supernova completion bash)\n"
         "_supernova() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\" word\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"$word\" in\n" +
         cases +
         "    esac\n"
         "  done\n"
         "  [ -n \"$words\" ] || words=\"" +
         commands + join_options(app) +
         "\"\n"
         "  COMPREPLY=()\n"
         "  case \"$current\" in\n"
         "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
         "    *) [ \"$COMP_CWORD\" -gt 1 ] || COMPREPLY=($(compgen -W \"" +
         commands +
         "\" -- \"$current\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -o default -F _supernova supernova\n";
}

std::string zsh_script(const CLI::App& app) {
  return "# zsh: source <(supernova completion zsh)\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_script(app);
}

std::string fish_script(const CLI::App& app) {
  std::string script = "# fish: supernova completion fish | source\n";
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    script += "complete -c supernova -n __fish_use_subcommand -f -a " + command->get_name() +
              " -d '" + command->get_description() + "'\n";
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        script += "complete -c supernova -n '__fish_seen_subcommand_from " + command->get_name() +
                  "' -l " + name + "\n";
      }
    }
  }
  return script;
}

}  // namespace

void add_completion(CLI::App& app, int& exit_code) {
  auto shell = std::make_shared<std::string>("bash");
  CLI::App* command = app.add_subcommand("completion", "Print a shell completion script");
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->capture_default_str();
  command->callback([shell, &app, &exit_code] {
    const std::string script = *shell == "fish"  ? fish_script(app)
                               : *shell == "zsh" ? zsh_script(app)
                                                 : bash_script(app);
    std::fputs(script.c_str(), stdout);
    exit_code = 0;
  });
}

}  // namespace supernova::apps
