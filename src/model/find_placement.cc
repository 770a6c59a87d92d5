#include "model/find_placement.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/log.h"

namespace supernova::model {
namespace {

using engine::Engine;

bool is_any_format(const Engine& engine) { return engine.accepts_format("*"); }

// An engine that takes anything takes a file as it is only where it is named: the file would be
// nothing to it otherwise.
bool lists_format(const Engine& engine, std::string_view format) {
  return !is_any_format(engine) && engine.accepts_format(format);
}

uint64_t byte_size(const std::string& path) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (!error) return size;
  uint64_t sum = 0;
  for (std::filesystem::recursive_directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code of_file;
    const uint64_t one = at->is_regular_file(of_file) ? at->file_size(of_file) : 0;
    if (!of_file) sum += one;
  }
  return sum;
}

tensor::ImportedModel as_it_is(const std::string& format, const std::string& file) {
  tensor::ImportedModel model;
  model.artefact.format = format;
  model.artefact.path = file;
  model.description.format = format;
  model.description.file = file;
  model.description.byte_size = byte_size(file);
  return model;
}

}  // namespace

void MeasuredRuns::note(const std::string& path, const std::string& engine,
                        const std::string& format, const std::string& device, uint64_t ns) {
  std::lock_guard lock(mutex_);
  runs_[{path, engine, format, device}] = ns;
}

uint64_t MeasuredRuns::of(const std::string& path, const std::string& engine,
                          const std::string& format, const std::string& device) const {
  std::lock_guard lock(mutex_);
  const auto at = runs_.find({path, engine, format, device});
  return at == runs_.end() ? 0 : at->second;
}

const device::Device& FoundPlacement::device(const std::string& id) const {
  const auto at = std::find_if(input.devices.begin(), input.devices.end(),
                               [&](const device::Device& device) { return device.id == id; });
  SN_CHECK(at != input.devices.end());  // placement chose among them
  return *at;
}

void FoundPlacement::learn(const std::string& device, engine::Verdict verdict) {
  for (engine::Candidate& candidate : input.candidates) {
    const bool meant = candidate.engine == placement.engine && candidate.offer == placement.offer &&
                       candidate.device == device;
    if (meant) candidate.verdict = verdict;
  }
  placement = engine::place(input);
}

// One search: what is known so far.
struct PlacementFinder::Search {
  const PlacementFinder& finder;
  const std::string& path;
  const tensor::Options& options;
  engine::PlacementInput input;
  std::vector<Engine*> engines;
  std::vector<tensor::ImportedModel> models;  // of input.offers
  std::string source_format;
  std::set<std::string> asked;  // devices

  base::Status open_engines();
  base::Status make_offers();
  void take_devices(device::Devices found);
  void ask(const std::vector<std::string>& ids);
  void ask(Engine& engine, size_t offer, const device::Device& device);
  engine::Placement place();
  bool takes(const Engine& engine, const engine::Offer& offer) const;
};

base::Status PlacementFinder::Search::open_engines() {
  input.engines = finder.catalogue_.names();
  if (!input.wishes.engine.empty()) {
    SN_ASSIGN(engines.emplace_back(), finder.catalogue_.find(input.wishes.engine));
    return {};
  }
  for (const std::string& name : input.engines) {
    const auto engine = finder.catalogue_.find(name);
    if (engine.ok()) {
      engines.push_back(*engine);
    } else {
      input.rejections.push_back({name, "", "", std::string(base::message(engine.status()))});
    }
  }
  return {};
}

base::Status PlacementFinder::Search::make_offers() {
  const bool named = !input.wishes.engine.empty();
  const auto offer = [&](tensor::ImportedModel model, bool is_source, base::Status problem) {
    input.offers.push_back({model.artefact.format, is_source, std::move(problem)});
    models.push_back(std::move(model));
  };
  if (named && is_any_format(*engines.front())) {
    // The engine reads files of its own; there is nothing to import.
    offer({{engines.front()->name(), path, {}, ""}, {}, {}}, true, {});
    return {};
  }
  const auto source = finder.provider_.identify(path);
  if (source.ok()) source_format = source->format;
  const bool takes_source = source.ok() && source->format != tensor::kHubFormat &&
                            std::any_of(engines.begin(), engines.end(), [&](const Engine* engine) {
                              return lists_format(*engine, source->format);
                            });
  if (!named || !takes_source) {
    auto imported = finder.provider_.provide(path, options);
    if (imported.ok()) {
      if (source_format.empty()) source_format = imported->description.format;
      offer(*std::move(imported), false, {});
    } else if (takes_source) {
      tensor::ImportedModel none;
      none.artefact.format = tensor::kHubFormat;
      offer(std::move(none), false, imported.status());
    } else {
      return imported.status();
    }
  }
  if (takes_source) {
    tensor::ImportedModel model = as_it_is(source->format, source->file);
    if (!models.empty() && input.offers.front().problem.ok()) {
      model.description = models.front().description;
      model.description.notes.clear();  // nothing was changed on the way in
    }
    offer(std::move(model), true, {});
  }
  return {};
}

void PlacementFinder::Search::take_devices(device::Devices found) {
  const bool has_cpu = std::any_of(found.begin(), found.end(), [](const device::Device& device) {
    return device.abi_kind == SN_DEVICE_CPU;
  });
  if (!has_cpu) found.push_back(device::plain_cpu());
  input.devices = std::move(found);
}

bool PlacementFinder::Search::takes(const Engine& engine, const engine::Offer& offer) const {
  if (!offer.problem.ok()) return false;
  return offer.is_source && input.wishes.engine.empty() ? lists_format(engine, offer.format)
                                                        : engine.accepts_format(offer.format);
}

void PlacementFinder::Search::ask(Engine& engine, size_t offer, const device::Device& device) {
  const std::string& format = input.offers[offer].format;
  auto verdict = engine.can_run(models[offer].artefact, device::to_abi(device), options);
  if (!verdict.ok()) {
    input.rejections.push_back(
        {engine.name(), format, device.id, std::string(base::message(verdict.status()))});
    return;
  }
  input.candidates.push_back({engine.name(), offer, device.id, *std::move(verdict),
                              finder.measured_.of(path, engine.name(), format, device.id)});
}

void PlacementFinder::Search::ask(const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    if (!asked.insert(id).second) continue;
    for (const device::Device& device : input.devices) {
      if (device.id != id) continue;
      for (Engine* engine : engines) {
        for (size_t offer = 0; offer < input.offers.size(); ++offer) {
          if (takes(*engine, input.offers[offer])) ask(*engine, offer, device);
        }
      }
    }
  }
}

engine::Placement PlacementFinder::Search::place() {
  const engine::DevicesToAsk first = devices_to_ask(input.wishes, input.devices);
  ask(first.ids);
  engine::Placement placement = engine::place(input);
  if (placement.status.ok() || !first.further) return placement;
  // Perhaps it is a model for another device than the CPU.
  take_devices(*finder.devices_.get());
  std::vector<std::string> all;
  for (const device::Device& device : input.devices) {
    if (device.state == device::DeviceState::kUsable) {
      all.push_back(device.id);
    } else if (asked.insert(device.id).second) {
      input.rejections.push_back(
          {"", "", device.id, !device.missing.empty() ? device.missing : device.health});
    }
  }
  ask(all);
  return engine::place(input);
}

base::Result<FoundPlacement> PlacementFinder::find(const std::string& path,
                                                   const engine::Wishes& wishes,
                                                   const tensor::Options& options,
                                                   uint64_t memory_budget) const {
  Search search{*this, path, options, {}, {}, {}, "", {}};
  search.input.wishes = wishes;
  search.input.memory_budget = memory_budget;
  SN_TRY(search.open_engines());
  if (engine::wants_cpu_only(wishes)) {
    search.take_devices({});
  } else {
    search.take_devices(*devices_.get());
  }
  SN_TRY(search.make_offers());
  for (Engine* engine : search.engines) {
    const bool takes_one = std::any_of(search.input.offers.begin(), search.input.offers.end(),
                                       [&](const engine::Offer& offer) {
                                         return !offer.problem.ok() || search.takes(*engine, offer);
                                       });
    if (takes_one) continue;
    search.input.rejections.push_back({engine->name(), "", "",
                                       base::str_cat("it does not take artefacts of the format '",
                                                     search.input.offers.front().format, "'")});
  }
  FoundPlacement found;
  found.placement = search.place();
  found.input = std::move(search.input);
  found.models = std::move(search.models);
  found.source_format = std::move(search.source_format);
  return found;
}

}  // namespace supernova::model
