#include "compile/record.h"

#include <gtest/gtest.h>

#include "compile/imported_record.h"
#include "compile/worker_job.h"

namespace supernova::compile {
namespace {

TEST(Record, ReadsBackWhatWasWritten) {
  RecordWriter out;
  out.number(7);
  out.number(~uint64_t{0});
  out.text(std::string_view("a\0b", 3));
  out.texts({"", "x"});
  out.options({{"k", "v"}, {"l", ""}});
  const std::string bytes = out.take();
  RecordReader in(bytes);
  EXPECT_EQ(in.number(), 7U);
  EXPECT_EQ(in.signed_number(), -1);
  EXPECT_EQ(in.text(), std::string_view("a\0b", 3));
  EXPECT_EQ(in.texts(), (std::vector<std::string>{"", "x"}));
  EXPECT_EQ(in.options(), (std::map<std::string, std::string>{{"k", "v"}, {"l", ""}}));
  EXPECT_TRUE(in.complete());
}

TEST(Record, RefusesCountsThatCanNotBe) {
  for (const uint64_t size : {uint64_t{1}, uint64_t{1} << 40U, ~uint64_t{0}}) {
    RecordWriter out;
    out.number(size);
    const std::string bytes = out.take();
    RecordReader text(bytes);
    EXPECT_EQ(text.text(), "");
    EXPECT_FALSE(text.ok());
    RecordReader texts(bytes);
    EXPECT_TRUE(texts.texts().empty());
    EXPECT_FALSE(texts.ok());
    EXPECT_EQ(texts.number(), 0U);
  }
}

tensor::ImportedModel some_model() {
  tensor::ImportedModel model;
  model.artefact.format = "onnx";
  model.artefact.path = "/models/net";
  model.description.format = "caffe";
  model.description.producer = "somebody";
  model.description.version = "2";
  model.description.file = "/models/net/deploy.prototxt";
  model.description.byte_size = 123456;
  model.description.operators = {{"Conv", 12}, {"my:Op", 1}};
  tensor::TensorInfo input;
  input.name = "data";
  input.data_type = tensor::DataType::kFp32;
  input.shape = {-1, 3, 224, 224};
  input.dim_names = {"N", "", "", ""};
  tensor::TensorInfo output;
  output.name = "prob";
  output.data_type = tensor::DataType::kBytes;
  output.rank_known = false;
  output.optional = true;
  output.is_state = true;
  output.model_type = "sequence(tensor(float))";
  model.description.inputs = {input};
  model.description.outputs = {output};
  model.description.notes = {"Dropout was left out"};
  model.sources = {"/models/net/deploy.prototxt", "/models/net/weights/net.caffemodel", "/etc/x"};
  return model;
}

TEST(ImportedRecord, TellsEverything) {
  const tensor::ImportedModel model = some_model();
  const auto back = read_imported(write_imported(model, "/models/net/deploy.prototxt"),
                                  model.description.file, {});
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->artefact.format, "onnx");
  EXPECT_EQ(back->artefact.path, "/models/net");
  const tensor::ModelDescription& described = back->description;
  EXPECT_EQ(described.format, "caffe");
  EXPECT_EQ(described.producer, "somebody");
  EXPECT_EQ(described.version, "2");
  EXPECT_EQ(described.file, "/models/net/deploy.prototxt");
  EXPECT_EQ(described.byte_size, 123456U);
  EXPECT_EQ(described.operators, model.description.operators);
  ASSERT_EQ(described.inputs.size(), 1U);
  EXPECT_EQ(described.inputs[0].name, "data");
  EXPECT_EQ(described.inputs[0].data_type, tensor::DataType::kFp32);
  EXPECT_EQ(described.inputs[0].shape, model.description.inputs[0].shape);
  EXPECT_EQ(described.inputs[0].dim_names, model.description.inputs[0].dim_names);
  EXPECT_TRUE(described.inputs[0].rank_known);
  EXPECT_FALSE(described.inputs[0].optional);
  ASSERT_EQ(described.outputs.size(), 1U);
  EXPECT_FALSE(described.outputs[0].rank_known);
  EXPECT_TRUE(described.outputs[0].optional);
  EXPECT_TRUE(described.outputs[0].is_state);
  EXPECT_EQ(described.outputs[0].model_type, "sequence(tensor(float))");
  EXPECT_EQ(described.notes, model.description.notes);
  EXPECT_EQ(back->sources, model.sources);
}

TEST(ImportedRecord, FollowsAModelThatMoved) {
  const std::string record = write_imported(some_model(), "/models/net/deploy.prototxt");
  const auto moved = read_imported(record, "here/deploy.prototxt", {});
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->artefact.path, "here");
  EXPECT_EQ(moved->description.file, "here/deploy.prototxt");
  EXPECT_EQ(moved->sources, (std::vector<std::string>{"here/deploy.prototxt",
                                                      "here/weights/net.caffemodel", "/etc/x"}));
}

TEST(ImportedRecord, IsRefusedWhenCutOrLonger) {
  const std::string record = write_imported(some_model(), "/models/net/deploy.prototxt");
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_FALSE(read_imported(record.substr(0, size), "x", {}).ok()) << size;
  }
  EXPECT_FALSE(read_imported(record + "x", "x", {}).ok());
}

tensor::Buffer payload_of(std::string_view model, std::string_view weights) {
  std::string bytes(weights.empty() ? 0 : kWeightsGap, '\0');
  return tensor::Buffer::copy_of(bytes.append(weights).append(model));
}

TEST(ImportedRecord, FindsModelAndWeightsInThePayload) {
  tensor::ImportedModel model = some_model();
  model.artefact.bytes = tensor::Buffer::copy_of(std::string_view("graph"));
  const std::string whole = write_imported(model, "x");
  model.weights.byte_size = 7;
  const std::string apart = write_imported(model, "x");

  const auto one = read_imported(whole, "x", payload_of("graph", ""));
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->artefact.bytes.view(), "graph");
  EXPECT_EQ(one->artefact.weights.size(), 0U);

  const auto two = read_imported(apart, "x", payload_of("graph", "weights"));
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->artefact.bytes.view(), "graph");
  EXPECT_EQ(two->artefact.weights.view(), "weights");
}

TEST(ImportedRecord, OfAnotherPayloadIsRefused) {
  tensor::ImportedModel model = some_model();
  model.artefact.bytes = tensor::Buffer::copy_of(std::string_view("graph"));
  const std::string whole = write_imported(model, "x");
  model.weights.byte_size = 7;
  const std::string apart = write_imported(model, "x");
  for (const std::string_view other : {"", "grap", "graphs"}) {
    EXPECT_FALSE(read_imported(whole, "x", payload_of(other, "")).ok()) << other;
    EXPECT_FALSE(read_imported(apart, "x", payload_of(other, "")).ok()) << other;
  }
  EXPECT_FALSE(read_imported(whole, "x", payload_of("graph", "weights")).ok());
  EXPECT_FALSE(read_imported(apart, "x", payload_of("graph", "weight")).ok());
  EXPECT_FALSE(read_imported(apart, "x", payload_of("graph", "weights!")).ok());
  model.weights.byte_size = ~uint64_t{0};
  EXPECT_FALSE(read_imported(write_imported(model, "x"), "x", payload_of("graph", "")).ok());
}

TEST(ImportedRecord, SurvivesAnyByte) {
  const std::string record = write_imported(some_model(), "/models/net/deploy.prototxt");
  for (size_t at = 0; at < record.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string changed = record;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto model = read_imported(changed, "x", {});  // any answer, but an answer
      EXPECT_TRUE(!model.ok() || model->sources.size() <= record.size());
    }
  }
}

TEST(WorkerJob, CrossesOver) {
  Job job;
  job.kind = Job::Kind::kPrepare;
  job.limits = {1, 2, 3};
  job.options = {{"a", "b"}};
  job.format = "caffe";
  job.file = "net";
  job.engine = "onnxruntime";
  job.engine_libraries = {"x.so"};
  job.artefact_format = "onnx";
  job.artefact_path = "folder";
  job.has_input = true;
  const std::string record = write_job(job);
  const auto back = read_job(record);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->kind, job.kind);
  EXPECT_EQ(back->limits.memory_bytes, 1U);
  EXPECT_EQ(back->limits.address_space_bytes, 2U);
  EXPECT_EQ(back->limits.cpu_seconds, 3U);
  EXPECT_EQ(back->options, job.options);
  EXPECT_EQ(back->format, job.format);
  EXPECT_EQ(back->file, job.file);
  EXPECT_EQ(back->engine, job.engine);
  EXPECT_EQ(back->engine_libraries, job.engine_libraries);
  EXPECT_EQ(back->artefact_format, job.artefact_format);
  EXPECT_EQ(back->artefact_path, job.artefact_path);
  EXPECT_TRUE(back->has_input);
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_FALSE(read_job(record.substr(0, size)).ok()) << size;
  }
}

TEST(WorkerReply, CrossesOver) {
  const std::string record = write_reply({absl::NotFoundError("no such layer"), true});
  const auto back = read_reply(record);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->status, absl::NotFoundError("no such layer"));
  EXPECT_TRUE(back->output_failed);
  EXPECT_TRUE(read_reply(write_reply({}))->status.ok());
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_FALSE(read_reply(record.substr(0, size)).ok()) << size;
  }
  RecordWriter unknown;
  unknown.number(99);
  unknown.text("");
  unknown.number(0);
  EXPECT_FALSE(read_reply(unknown.take()).ok());
}

}  // namespace
}  // namespace supernova::compile
