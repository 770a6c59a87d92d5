// What the engine answers to can_run: whether the libraries are there, and what of a file would run
// where, as far as that shows before the model is opened.
#pragma once

#include <supernova/engine.h>

#include <string>

#include "engine/tflite/options.h"

namespace supernova::engine::tflite {

// `library` as for load_runtime. A null artefact asks for the device alone. What the verdict points
// to lives until the next call on this thread.
void judge(const std::string& library, const sn_artefact* artefact, const sn_device& device,
           const Options& options, sn_verdict& verdict);

}  // namespace supernova::engine::tflite
