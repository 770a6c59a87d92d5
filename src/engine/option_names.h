// Names of the options that the house gives a meaning for every engine; all others belong to the
// engine. They come from `--option`, from `parameters` of a configuration and from flags.
#pragma once

#include <chrono>

namespace supernova::engine {

// The device wished for, as --device takes it, which counts before it.
inline constexpr char kDevice[] = "device";
// "true" = every node runs on the device asked for, or the model is refused.
inline constexpr char kStrictDevice[] = "strict_device";
// Threads of a run of one model (option_values.h).
inline constexpr char kIntraOpThreads[] = "intra_op_threads";
// Where the engine runs: "in-process", "worker" (one for all models of that engine on that device)
// or "own-worker" (one for this model alone). Empty = as the engine's kind suggests.
inline constexpr char kIsolation[] = "isolation";
// NAME=VALUE, separated by newlines, added to the environment of a worker.
inline constexpr char kWorkerEnvironment[] = "worker.environment";
// Limits of a worker, 0 or absent = none.
inline constexpr char kWorkerMemory[] = "worker.memory_byte_size";
inline constexpr char kWorkerLoadTimeout[] = "worker.load_timeout_ms";
// Where nobody says; and what "0", no limit, stands for.
inline constexpr std::chrono::milliseconds kDefaultLoadTimeout{300'000};
inline constexpr std::chrono::milliseconds kNoLoadTimeout{1'000'000'000};
inline constexpr char kWorkerRunTimeout[] = "worker.run_timeout_ms";
// Of a model that is opened, for messages: its name, and what an operator does to have it tried
// again ("restart the server"). The house gives them, nobody else may.
inline constexpr char kWorkerModelName[] = "worker.model_name";
inline constexpr char kWorkerTryAgain[] = "worker.try_again";
// "0" = no second process waits to take over.
inline constexpr char kWorkerSpare[] = "worker.spare";

}  // namespace supernova::engine
