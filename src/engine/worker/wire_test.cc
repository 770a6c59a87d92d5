#include "engine/worker/wire.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/worker/messages.h"
#include "engine/worker/run_message.h"

namespace supernova::engine::worker {
namespace {

TEST(Wire, ReadsWhatWasWritten) {
  std::string bytes;
  Writer out(bytes);
  out.number(7);
  out.text("seven!!");
  out.text("eight!!!");
  out.text("");
  out.text_or_null(nullptr);
  const int64_t dims[] = {1, -1, 3};
  out.numbers(dims);
  Reader in(bytes);
  EXPECT_EQ(in.number(), 7U);
  EXPECT_EQ(in.text(), "seven!!");
  const char* const eight = in.text_or_null();
  ASSERT_NE(eight, nullptr);
  EXPECT_STREQ(eight, "eight!!!");
  EXPECT_EQ(in.text(), "");
  EXPECT_EQ(in.text_or_null(), nullptr);
  EXPECT_TRUE(in.ok());
  ASSERT_EQ(in.numbers().size(), 3U);
  EXPECT_TRUE(in.complete());
}

TEST(Wire, RefusesWhatIsNotThere) {
  std::string bytes;
  Writer out(bytes);
  out.text("a text of some length");
  for (size_t size = 0; size < bytes.size(); size += 8) {
    Reader in(std::string_view(bytes).substr(0, size));
    EXPECT_EQ(in.text(), "");
    EXPECT_FALSE(in.ok()) << size;
  }
  for (const uint64_t count : {uint64_t{2}, uint64_t{1} << 32U, ~uint64_t{0} - 1, ~uint64_t{0}}) {
    std::string lie;
    Writer(lie).number(count);
    lie.append(8, 'x');
    Reader numbers(lie);
    numbers.numbers();
    EXPECT_FALSE(numbers.ok()) << count;
    Reader counted(lie);
    EXPECT_EQ(counted.count(), 0U) << count;
    EXPECT_FALSE(counted.ok());
    Reader text(lie);
    text.text();
    EXPECT_FALSE(text.ok()) << count;
  }
}

std::string model_info_bytes() {
  const int64_t dims[] = {-1, 3};
  const char* const names[] = {"n", nullptr};
  sn_tensor_info tensor{sizeof(sn_tensor_info), "x", SN_FP32, 2, dims, names, 1, 0};
  sn_tensor_info unranked{sizeof(sn_tensor_info), "y", SN_BYTES, -1, nullptr, nullptr, 0, 1};
  const sn_signature signature{sizeof(sn_signature), "", &tensor, 1, &unranked, 1};
  const sn_model_info info{sizeof(sn_model_info), &signature, 1};
  std::string bytes;
  Writer out(bytes);
  write(out, info);
  return bytes;
}

std::string response_bytes() {
  std::string bytes;
  float values[] = {1, 2};
  const int64_t dims[] = {2};
  sn_tensor output{};
  output.size = sizeof(output);
  output.name = "y";
  output.dtype = SN_FP32;
  output.rank = 1;
  output.dims = dims;
  output.buffer.size = sizeof(output.buffer);
  output.buffer.data = values;
  output.buffer.byte_size = sizeof(values);
  const sn_response response{sizeof(sn_response), &output, 1, nullptr, 1};
  alignas(64) std::byte memory[256];
  Room room(memory, sizeof(memory));
  std::vector<base::File> files;
  sn_run run{};
  run.size = sizeof(run);
  EXPECT_TRUE(write_response(response, run, room, bytes, files).ok());
  EXPECT_TRUE(files.empty());
  return bytes;
}

TEST(Wire, KeepsSignatures) {
  const ModelInfo info(model_info_bytes());
  ASSERT_TRUE(info.ok());
  ASSERT_EQ(info.get().signature_count, 1U);
  const sn_signature& signature = info.get().signatures[0];
  EXPECT_STREQ(signature.inputs[0].name, "x");
  EXPECT_STREQ(signature.inputs[0].dim_names[0], "n");
  EXPECT_EQ(signature.inputs[0].dim_names[1], nullptr);
  EXPECT_EQ(signature.inputs[0].dims[1], 3);
  EXPECT_EQ(signature.inputs[0].optional, 1);
  EXPECT_EQ(signature.outputs[0].rank, -1);
  EXPECT_EQ(signature.outputs[0].is_state, 1);
}

TEST(Wire, KeepsResponses) {
  const std::string bytes = response_bytes();
  ResponseRecord response;
  ASSERT_TRUE(read_response(bytes, response));
  ASSERT_EQ(response.outputs.size(), 1U);
  EXPECT_STREQ(response.outputs[0].name, "y");
  EXPECT_EQ(response.outputs[0].place, OutputPlace::kRoom);
  EXPECT_EQ(response.outputs[0].byte_size, 8U);
  EXPECT_TRUE(response.final);
}

// Whatever a worker says: refused, or of a form that can be walked through.
TEST(Wire, SurvivesWhateverAWorkerSays) {
  std::mt19937 random(1);
  for (const std::string& good : {model_info_bytes(), response_bytes()}) {
    for (int i = 0; i < 20000; ++i) {
      std::string bytes = good;
      for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
        bytes[random() % bytes.size()] = static_cast<char>(random() % 3 == 0 ? 255 : random());
      }
      bytes.resize(random() % 5 == 0 ? random() % bytes.size() / 8 * 8 : bytes.size());
      const ModelInfo info(bytes);
      size_t walked = 0;
      for (size_t s = 0; info.ok() && s < info.get().signature_count; ++s) {
        const sn_signature& signature = info.get().signatures[s];
        for (size_t t = 0; t < signature.input_count; ++t) {
          const sn_tensor_info& tensor = signature.inputs[t];
          for (int32_t d = 0; d < tensor.rank; ++d) {
            walked += static_cast<size_t>(tensor.dims[d]);
            if (tensor.dim_names != nullptr && tensor.dim_names[d] != nullptr) {
              walked += std::string_view(tensor.dim_names[d]).size();
            }
          }
        }
      }
      ResponseRecord response;
      if (read_response(bytes, response)) {
        for (const OutputRecord& output : response.outputs) {
          for (const int64_t dim : output.dims) EXPECT_GE(dim, 0);
          if (output.name != nullptr) walked += std::string_view(output.name).size();
        }
      }
      const Verdict verdict(bytes);
      const EngineInfo engine(bytes);
      walked += verdict.ok() + engine.ok();
      static_cast<void>(walked);
    }
  }
}

}  // namespace
}  // namespace supernova::engine::worker
