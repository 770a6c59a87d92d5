#include "support/run_import.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <stdexcept>

#include "engine/engine.h"

namespace supernova::engine::onnxruntime {
const sn_engine_api* entry(uint32_t host_abi_version);
}

namespace supernova::test {

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "supernova-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for a test: " + name);
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ScratchFolder::write(const std::string& name, std::string_view content) const {
  const std::filesystem::path file = path_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
  return file.string();
}

base::Result<tensor::ImportedModel> import_path(const import::Importer& importer,
                                                const std::string& path,
                                                const tensor::Options& options) {
  const std::string file = importer.recognise(path);
  if (file.empty()) {
    return absl::NotFoundError(base::str_cat(path, " is not recognised as ", importer.format()));
  }
  return importer.import(file, options);
}

base::Result<std::vector<tensor::Tensor>> run_artefact(const tensor::Artefact& artefact,
                                                       std::vector<tensor::Tensor> inputs) {
  SN_ASSIGN(const auto engine, engine::Engine::open(&engine::onnxruntime::entry, {}));
  SN_ASSIGN(const auto model, engine->open_model(artefact, {}));
  sn_device cpu{};
  cpu.size = sizeof(cpu);
  SN_ASSIGN(const auto session, model->open_session(cpu, {}));
  tensor::Request request;
  request.inputs = std::move(inputs);
  std::promise<base::Result<tensor::Response>> promise;
  auto answer = promise.get_future();
  session->run(request, [&](base::Result<tensor::Response> response) {
    promise.set_value(std::move(response));
  });
  SN_ASSIGN(tensor::Response response, answer.get());
  // What the engine owns must not outlive it here.
  for (tensor::Tensor& output : response.outputs) {
    output.buffer = tensor::Buffer::copy_of(output.buffer.view());
  }
  return std::move(response.outputs);
}

base::Result<std::vector<tensor::Tensor>> run_path(const import::Importer& importer,
                                                   const std::string& path,
                                                   std::vector<tensor::Tensor> inputs,
                                                   const tensor::Options& options) {
  SN_ASSIGN(const tensor::ImportedModel model, import_path(importer, path, options));
  return run_artefact(model.artefact, std::move(inputs));
}

std::vector<float> some_floats(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  uint32_t state = seed * 2654435761U + 12345U;
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8U) / static_cast<float>(1U << 23U) - 1.0F;
  }
  return values;
}

}  // namespace supernova::test
