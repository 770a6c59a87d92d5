// Whether a small model gets the threads it may have. The runtime hands a part of nearly every
// operator to its other threads, which takes it microseconds each time: a model of many operators
// that take no longer themselves is slower on two threads than on one, and holds two processors
// meanwhile. How much so is up to the machine, so it is tried when the model is opened.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "engine/onnxruntime/model.h"

namespace supernova::engine::onnxruntime {

using RunTime = std::chrono::duration<double, std::micro>;

// What the quickest run of a model took on all of its threads; nothing = not known.
enum class Threads { kAll, kOne, kTryOne };
Threads judge(std::optional<RunTime> on_all);
// And on one beside it.
Threads judge(RunTime on_all, std::optional<RunTime> on_one);

// As Model::open, for the CPU. A model that is small, says the sizes of its inputs (all but the
// first axis) and is not clearly faster on the threads it may have gets one, and the log says so.
// The option session.intra_op_num_threads is never doubted.
base::Result<std::unique_ptr<Model>> open_with_threads_that_pay(const Runtime& runtime,
                                                                const sn_artefact& artefact,
                                                                const Options& options,
                                                                int thread_budget);

}  // namespace supernova::engine::onnxruntime
