#include "model/find_placement.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/log.h"

namespace supernova::model {
namespace {

using engine::Engine;

// An engine that may get the model. It is opened when it is asked: what is built in says beforehand
// which formats it takes, so that one of another format stays closed.
struct Contender {
  std::string name;
  std::vector<std::string> formats;
  Engine* engine = nullptr;  // null = not opened yet

  bool lists(std::string_view format) const {
    return std::find(formats.begin(), formats.end(), format) != formats.end();
  }
  bool takes_any() const { return lists("*"); }
  bool takes(std::string_view format) const { return lists(format) || takes_any(); }
  // An engine that takes anything takes a file as it is only where it is named: the file would be
  // nothing to it otherwise.
  bool takes_unnamed(std::string_view format) const { return lists(format) && !takes_any(); }
};

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
  std::vector<Contender> contenders;
  std::vector<tensor::ImportedModel> models;  // of input.offers
  std::string source_format;
  std::set<std::string> asked;  // devices

  base::Status open(Contender& contender) const;
  base::Status find_contenders();
  base::Status make_offers();
  void drop_contenders();
  void take_devices(device::Devices found);
  void ask(const std::vector<std::string>& ids);
  void ask(Engine& engine, size_t offer, const device::Device& device);
  engine::Placement place();
  bool takes(const Contender& contender, const engine::Offer& offer) const;
  void reject(const std::string& engine, std::string_view why) {
    input.rejections.push_back({engine, "", "", std::string(why)});
  }
};

base::Status PlacementFinder::Search::open(Contender& contender) const {
  SN_ASSIGN(contender.engine, finder.catalogue_.find(contender.name));
  contender.formats = contender.engine->formats();
  return {};
}

base::Status PlacementFinder::Search::find_contenders() {
  input.engines = finder.catalogue_.names();
  if (!input.wishes.engine.empty()) {
    return open(contenders.emplace_back(Contender{input.wishes.engine, {}, nullptr}));
  }
  for (const std::string& name : input.engines) {
    Contender contender{name, {}, nullptr};
    if (auto formats = finder.catalogue_.known_formats(name)) {
      contender.formats = *std::move(formats);
    } else if (const base::Status opened = open(contender); !opened.ok()) {
      reject(name, base::message(opened));
      continue;
    }
    contenders.push_back(std::move(contender));
  }
  return {};
}

// Leaves those that have something to open, open.
void PlacementFinder::Search::drop_contenders() {
  const bool all_made = std::all_of(input.offers.begin(), input.offers.end(),
                                    [](const engine::Offer& offer) { return offer.problem.ok(); });
  std::erase_if(contenders, [&](Contender& contender) {
    const bool takes_one =
        std::any_of(input.offers.begin(), input.offers.end(),
                    [&](const engine::Offer& offer) { return takes(contender, offer); });
    if (!takes_one) {
      // Where a form could not be made, that is the reason.
      if (all_made) {
        reject(contender.name, base::str_cat("it takes ", base::str_join(contender.formats, ", "),
                                             ", not ", input.offers.front().format));
      }
      return true;
    }
    if (contender.engine != nullptr) return false;
    const base::Status opened = open(contender);
    if (!opened.ok()) reject(contender.name, base::message(opened));
    return !opened.ok();
  });
}

base::Status PlacementFinder::Search::make_offers() {
  const bool named = !input.wishes.engine.empty();
  const auto offer = [&](tensor::ImportedModel model, bool is_source, base::Status problem) {
    input.offers.push_back({model.artefact.format, is_source, std::move(problem)});
    models.push_back(std::move(model));
  };
  if (named && contenders.front().takes_any()) {
    // The engine reads files of its own; there is nothing to import.
    offer({{contenders.front().name, path, {}, ""}, {}, {}}, true, {});
    return {};
  }
  const auto source = finder.provider_.identify(path);
  if (source.ok()) source_format = source->format;
  const bool takes_source =
      source.ok() && source->format != tensor::kHubFormat &&
      std::any_of(contenders.begin(), contenders.end(), [&](const Contender& contender) {
        return contender.takes_unnamed(source->format);
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

bool PlacementFinder::Search::takes(const Contender& contender, const engine::Offer& offer) const {
  if (!offer.problem.ok()) return false;
  return offer.is_source && input.wishes.engine.empty() ? contender.takes_unnamed(offer.format)
                                                        : contender.takes(offer.format);
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
      for (const Contender& contender : contenders) {
        for (size_t offer = 0; offer < input.offers.size(); ++offer) {
          if (takes(contender, input.offers[offer])) ask(*contender.engine, offer, device);
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
    if (device::is_emulated(device)) continue;  // only a name reaches it
    if (device.state == device::DeviceState::kUsable) {
      all.push_back(device.id);
    } else if (device.engine.empty()) {
      continue;  // nobody would drive it
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
  SN_TRY(search.find_contenders());
  if (engine::wants_cpu_only(wishes)) {
    search.take_devices({});
  } else {
    search.take_devices(*devices_.get());
  }
  SN_TRY(search.make_offers());
  search.drop_contenders();
  FoundPlacement found;
  found.placement = search.place();
  found.input = std::move(search.input);
  found.models = std::move(search.models);
  found.source_format = std::move(search.source_format);
  return found;
}

}  // namespace supernova::model
