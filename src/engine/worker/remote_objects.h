// What the handles of the ABI stand for where the engine lives in a worker.
#pragma once

#include <supernova/engine.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/worker/messages.h"

namespace supernova::engine::worker {

class RemoteEngine;
struct RemoteModel;

struct RemoteInstance {
  std::shared_ptr<RemoteModel> model;
  uint64_t key = 0;
  Device device;
  OptionPairs options;
  int max_concurrency = 1;
  std::unique_ptr<Verdict> info;  // once it was asked for; then it stays
  // What its runs have been like.
  std::atomic<uint64_t> room{0};        // bytes that the engine brings
  std::atomic<uint64_t> typical_ns{0};  // from being sent to being answered
};

struct RemoteModel {
  RemoteEngine* engine = nullptr;
  uint64_t key = 0;
  sn_artefact artefact{};  // its data is the host's
  ArtefactHead head;
  OptionPairs options;
  std::string what = "the model";                  // "model 'resnet'": it in messages
  std::string try_again = "load the model again";  // what is to be done for that
  std::unique_ptr<ModelInfo> info;
  std::string digest;
  std::vector<RemoteInstance*> instances;
  // Why it could not be opened again in the present worker; "" = it is open.
  std::string broken;
  std::mutex mutex;  // of `broken`
  std::atomic<bool> is_broken{false};
  std::atomic<bool> is_suspect{false};  // the quarantine may know it
  // How many workers in a row have ended while it was being opened again. The keeper's.
  int ends_at_reopening = 0;
};

struct RemoteState {
  RemoteInstance* instance = nullptr;
  uint64_t key = 0;
  uint64_t worker = 0;  // its number: it dies with the worker
};

}  // namespace supernova::engine::worker
