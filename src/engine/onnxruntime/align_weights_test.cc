#include "engine/onnxruntime/align_weights.h"

#include <gtest/gtest.h>

#include "engine/engine.h"
#include "support/onnx_models.h"

namespace supernova::engine::onnxruntime {

const sn_engine_api* entry(uint32_t host_abi_version);

namespace {

std::string compiled(const std::string& model) {
  const auto engine = Engine::open(&entry, {});
  EXPECT_TRUE(engine.ok()) << engine.status();
  const Artefact artefact{"onnx", "", tensor::Buffer::copy_of(model), ""};
  std::string content;
  const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
  const base::Status status =
      (*engine)->compile(artefact, cpu, {}, [&](std::string_view, std::span<const std::byte> file) {
        content.assign(reinterpret_cast<const char*>(file.data()), file.size());
        return base::Status();
      });
  EXPECT_TRUE(status.ok()) << status;
  return content;
}

TEST(AlignWeights, PutsLargeOnesOnCacheLines) {
  const std::string model = test::mlp_model();
  const std::string content = compiled(model);
  ASSERT_FALSE(content.empty());
  bool found = false;
  // 16 x 32 floats; some run of as many bytes of the model is at a multiple of 64.
  constexpr size_t kSize = 16 * 32 * 4;
  for (size_t at = 0; at + kSize <= content.size() && !found; at += 64) {
    const std::string piece = content.substr(at, kSize);
    found = piece.find_first_not_of('\0') != std::string::npos &&
            model.find(piece) != std::string::npos;
  }
  EXPECT_TRUE(found);
  // Again there is nothing to change but their place.
  EXPECT_GE(align_weights(content).size(), content.size());
}

TEST(AlignWeights, LeavesWhatItDoesNotUnderstand) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(7, '\0'),
                                  std::string(1000, '\xff'), std::string(1000, '\0')}) {
    EXPECT_EQ(align_weights(text), text);
  }
  const std::string content = compiled(test::mlp_model());
  for (size_t size = 0; size < content.size(); ++size) {
    EXPECT_GE(align_weights(content.substr(0, size)).size(), size);
  }
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
