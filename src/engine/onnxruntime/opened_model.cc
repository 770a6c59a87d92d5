#include "engine/onnxruntime/opened_model.h"

#include <utility>

#include "engine/onnxruntime/choose_threads.h"
#include "engine/option_names.h"

namespace supernova::engine::onnxruntime {
namespace {

std::string key_of(const sn_device& device, const Options& options) {
  std::string key =
      base::str_cat(device.kind, ":", device.ordinal, ":", device.id != nullptr ? device.id : "");
  for (const auto& [name, value] : options) key += base::str_cat("\n", name, "=", value);
  return key;
}

}  // namespace

bool is_for_elsewhere(const Options& options) {
  const std::string_view device = option(options, kDevice);
  sn_device cpu{};
  cpu.size = sizeof(cpu);
  return (!device.empty() && !device.starts_with("cpu")) || !is_for_cpu(cpu, options);
}

OpenedModel::OpenedModel(const Runtime& runtime, const sn_artefact& artefact, Options options,
                         int thread_budget)
    : runtime_(runtime),
      artefact_(artefact),
      format_(artefact.format != nullptr ? artefact.format : ""),
      path_(artefact.path != nullptr ? artefact.path : ""),
      options_(std::move(options)),
      thread_budget_(thread_budget) {
  artefact_.format = artefact.format != nullptr ? format_.c_str() : nullptr;
  artefact_.path = artefact.path != nullptr ? path_.c_str() : nullptr;
  artefact_.digest = nullptr;
}

base::Result<std::unique_ptr<OpenedModel>> OpenedModel::open(const Runtime& runtime,
                                                             const sn_artefact& artefact,
                                                             Options options, int thread_budget) {
  std::unique_ptr<OpenedModel> opened(
      new OpenedModel(runtime, artefact, std::move(options), thread_budget));
  SN_TRY(opened->describe());
  return opened;
}

base::Status OpenedModel::describe() {
  if (is_for_elsewhere(options_)) {
    SN_ASSIGN(described_, Model::open_signature(runtime_, artefact_));
    return {};
  }
  SN_ASSIGN(cpu_, open_with_threads_that_pay(runtime_, artefact_, options_, thread_budget_));
  described_ = cpu_;
  return {};
}

base::Result<std::shared_ptr<Model>> OpenedModel::on_cpu() {
  std::lock_guard lock(mutex_);
  if (cpu_ == nullptr) {
    SN_ASSIGN(cpu_, open_with_threads_that_pay(runtime_, artefact_, options_, thread_budget_));
  }
  return cpu_;
}

void OpenedModel::drop_unused_cpu() {
  if (cpu_ == nullptr) return;
  const bool describes = cpu_ == described_;
  if (cpu_.use_count() > (describes ? 2 : 1)) return;
  if (describes) cpu_->drop_session();
  cpu_.reset();
}

base::Result<std::shared_ptr<DeviceSession>> OpenedModel::on_device(const sn_device& device,
                                                                    const Options& options) {
  if (format_ == kPreparedFormat) {
    return absl::FailedPreconditionError(
        "the model was prepared for the CPU; open the ONNX model it was made from");
  }
  std::lock_guard lock(mutex_);
  std::weak_ptr<DeviceSession>& slot = devices_[key_of(device, options)];
  if (auto session = slot.lock()) return session;
  SN_TRY(
      choose_provider(runtime_, device, options).status());  // before anything is given up for it
  drop_unused_cpu();
  SN_ASSIGN(std::shared_ptr<DeviceSession> session,
            DeviceSession::open(runtime_, artefact_, device, options, thread_budget_));
  slot = session;
  return session;
}

}  // namespace supernova::engine::onnxruntime
