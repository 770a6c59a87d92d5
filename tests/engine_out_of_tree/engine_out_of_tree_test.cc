#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "engine/catalogue.h"
#include "engine/engine.h"

namespace supernova::engine {
namespace {

std::vector<std::string> libraries() {
  const char* list = std::getenv("SUPERNOVA_OUT_OF_TREE_ENGINES");
  std::stringstream stream(list != nullptr ? list : "");
  std::vector<std::string> paths;
  for (std::string path; std::getline(stream, path, ':');) paths.push_back(path);
  return paths;
}

TEST(OutOfTree, EnginesLoadAndRun) {
  ASSERT_EQ(libraries().size(), 2U) << "run this through ctest, which builds the engines first";
  for (const std::string& path : libraries()) {
    SCOPED_TRACE(path);
    const auto engine = Engine::open_library(path, {});
    ASSERT_TRUE(engine.ok()) << engine.status();
    EXPECT_EQ((*engine)->name(), "do_nothing");
    tensor::Artefact artefact;
    artefact.format = "whatever";
    artefact.path = "/nowhere";
    const auto model = (*engine)->open_model(artefact, {});
    ASSERT_TRUE(model.ok()) << model.status();
    sn_device device{};
    device.size = sizeof(device);
    const auto session = (*model)->open_session(device, {});
    ASSERT_TRUE(session.ok()) << session.status();
    const std::vector<float> values = {1, 2, 3, 4};
    tensor::Tensor input;
    input.name = "INPUT0";
    input.data_type = tensor::DataType::kFp32;
    input.shape = {4};
    input.buffer = tensor::Buffer::copy_of(std::as_bytes(std::span(values)));
    tensor::Request request;
    request.inputs.push_back(input);
    int answers = 0;
    (*session)->run(request, [&](const base::Result<tensor::Response>& response) {
      ++answers;
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->outputs.at(0).buffer.view(), input.buffer.view());
    });
    EXPECT_EQ(answers, 1);
  }
}

TEST(OutOfTree, TheCatalogueTakesAnEngineOnce) {
  ASSERT_FALSE(libraries().empty());
  Catalogue catalogue;
  EXPECT_TRUE(catalogue.add_library(libraries().front(), {}).ok());
  EXPECT_TRUE(catalogue.find("do_nothing").ok());
  EXPECT_EQ(catalogue.add_library(libraries().front(), {}).code(),
            absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace supernova::engine
