// Files as they come from outside: names, notes, and everything that may be wrong with them.
#include "import/tflite/file.h"

#include <filesystem>

#include "import/tflite/attached.h"
#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

TfModel small() {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 4, 4, 2}, "", {}, {}, 0, false, {-1, 4, 4, 2}});
  const auto y = model.tensor({TfType::kFloat32, {1, 4, 4, 3}});
  const auto z = model.tensor({TfType::kFloat32, {1, 3}});
  model.op("CONV_2D",
           {x, model.constant({3, 1, 1, 2}, {1, 2, 3, 4, 5, 6}), model.constant({3}, {1, 2, 3})},
           {y}, FlatTable().number(1, 1).number(2, 1));
  model.op("MEAN", {y, model.ints({1, 2})}, {z});
  model.set_outputs({z});
  return model;
}

std::string why(const std::string& content) {
  const auto result = imported(content);
  return result.ok() ? "imported" : std::string(base::message(result.status()));
}

TEST(TfliteFile, DescribesTheModel) {
  const auto model = imported(small().file());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->description.format, "tflite");
  EXPECT_EQ(model->description.producer, "supernova conformance");
  EXPECT_EQ(model->description.version, "schema 3");
  EXPECT_EQ(model->description.operators.at("CONV_2D"), 1);
  ASSERT_EQ(model->description.inputs.size(), 1U);
  EXPECT_EQ(model->description.inputs[0].name, "t0");
  EXPECT_THAT(model->description.inputs[0].shape, ElementsAre(-1, 4, 4, 2));
  EXPECT_THAT(model->description.outputs[0].shape, ElementsAre(-1, 3));
}

TEST(TfliteFile, OpenSizesCanBeFixed) {
  const auto fixed = imported(small().file(), {{"input_shape.t0", "3,4,4,-1"}});
  ASSERT_TRUE(fixed.ok()) << fixed.status();
  EXPECT_THAT(fixed->description.inputs[0].shape, ElementsAre(3, 4, 4, 2));
  EXPECT_THAT(fixed->description.outputs[0].shape, ElementsAre(3, 3));
  EXPECT_THAT(imported(small().file(), {{"input_shape.t0", "3,5,4,2"}}).status().ToString(),
              HasSubstr("does not fit the model's"));
}

TEST(TfliteFile, IsDeterministic) {
  const auto a = imported(small().file());
  const auto b = imported(small().file());
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->artefact.bytes.view(), b->artefact.bytes.view());
}

TEST(TfliteFile, TensorsWithoutAName) {
  TfModel model;
  const auto a = model.input({.shape = {1}, .name = "-"});
  const auto b = model.input({.shape = {1}, .name = "same"});
  const auto y = model.tensor({.shape = {1}, .name = "same"});
  const auto z = model.tensor({.shape = {1}, .name = "-"});
  model.op("ADD", {a, b}, {y});
  model.op("SUB", {a, b}, {z});
  model.set_outputs({y, z});
  const auto result = imported(model.file());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->description.inputs[0].name, "input0");
  EXPECT_EQ(result->description.inputs[1].name, "same");
  EXPECT_EQ(result->description.outputs[0].name, "same_0");
  EXPECT_EQ(result->description.outputs[1].name, "output1");
}

TEST(TfliteFile, SignaturesAreNotedAndChoose) {
  TfModel model = small();
  model.begin_graph();
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  model.op("NEG", {x}, {y});
  model.set_outputs({y});
  const auto entry = [](std::string_view name, uint32_t number) {
    return FlatTable().text(0, name).number(1, number);
  };
  FlatTable root = model.root();
  root.tables(7, {FlatTable()
                      .tables(0, {entry("picture", 0)})
                      .tables(1, {entry("means", 2)})
                      .text(2, "serving_default")
                      .number(4, uint32_t{0}),
                  FlatTable()
                      .tables(0, {entry("x", 0)})
                      .tables(1, {entry("y", 1)})
                      .text(2, "negate")
                      .number(4, uint32_t{1})});
  const std::string content = root.file("TFL3");
  const auto first = imported(content);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->description.notes,
              testing::Contains(HasSubstr("'serving_default': picture = 't0' -> means = 't2'")));
  const auto other = imported(content, {{"signature", "negate"}});
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_THAT(other->description.inputs[0].shape, ElementsAre(2));
  EXPECT_THAT(imported(content, {{"signature", "train"}}).status().ToString(),
              HasSubstr("no signature 'train'; it has: serving_default, negate"));
}

TEST(TfliteFile, IsRecognisedByItsContent) {
  const test::ScratchFolder folder;
  const auto importer = make_importer();
  const std::string file = folder.write("anything.bin", small().file());
  EXPECT_EQ(importer->recognise(file), file);
  EXPECT_EQ(importer->recognise(folder.path().string()), file);
  EXPECT_EQ(importer->recognise(folder.write("other.bin", "something else entirely")), "");
  // By its name alone, to be refused with a reason.
  const std::string old = folder.write("old.tflite", std::string(64, '\1'));
  EXPECT_EQ(importer->recognise(old), old);
  EXPECT_THAT(importer->import(old, {}).status().ToString(), HasSubstr("no TFL3 mark at byte 4"));
  EXPECT_THAT(importer->import(importer->recognise(folder.path().string()), {}).status().ToString(),
              HasSubstr("several TensorFlow Lite models (anything.bin, old.tflite)"));
}

TEST(TfliteFile, SaysSoWhereItIsALfsPointer) {
  const test::ScratchFolder folder;
  const std::string file = folder.write(
      "model.tflite", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n");
  ImporterRegistry registry;
  registry.add(make_importer());
  for (const std::string& path : {file, folder.path().string()}) {
    EXPECT_THAT(registry.choose(path).status().ToString(),
                HasSubstr("is a Git LFS pointer, not the model; fetch the model with 'git lfs "
                          "pull'"));
  }
}

TEST(TfliteFile, NamesAttachedFiles) {
  // One stored entry without content, its directory, the end record.
  const std::string name = "labels.txt";
  std::string zip("PK\3\4", 4);
  zip += std::string(22, '\0');
  zip += std::string("\x0a\0\0\0", 4) + name;
  std::string directory("PK\1\2", 4);
  directory += std::string(24, '\0') + std::string("\x0a\0", 2) + std::string(16, '\0') + name;
  std::string end("PK\5\6", 4);
  end += std::string(8, '\0') + static_cast<char>(directory.size()) + std::string(9, '\0');
  EXPECT_THAT(attached_files(small().file() + zip + directory + end), ElementsAre("labels.txt"));
  const auto model = imported(small().file() + zip + directory + end);
  ASSERT_TRUE(model.ok());
  EXPECT_THAT(model->description.notes, testing::Contains(HasSubstr("labels.txt")));
  EXPECT_THAT(attached_files("PK\5\6 and nothing more"), testing::IsEmpty());
}

// Content beyond the tables' reach is named by its place in the file.
TEST(TfliteFile, BuffersByOffset) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto w = model.tensor({TfType::kFloat32, {2}, "12345678"});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  model.op("ADD", {x, w}, {y});
  model.set_outputs({y});
  const auto with = [&](uint64_t offset, uint64_t size) {
    FlatTable root = model.root();
    root.tables(4, {FlatTable(), FlatTable().number(1, offset).number(2, size)});
    return root.file("TFL3");
  };
  std::string content = with(1, 1);
  const uint64_t at = (content.size() + 100) & ~uint64_t{15};
  content = with(at, 8);
  content.resize(at);
  content += bytes_of(std::vector<float>{10, 20});
  const auto kept = std::make_shared<std::string>(content);
  const auto imported_model = import_content(*kept, kept, "model.tflite");
  ASSERT_TRUE(imported_model.ok()) << imported_model.status();
  const auto outputs =
      test::run_artefact(imported_model->artefact, {test::float_tensor("t0", {2}, {1, 2})});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(test::values_of<float>((*outputs)[0]), ElementsAre(11, 22));
  content.pop_back();
  EXPECT_THAT(why(content), HasSubstr("buffer 1 needs 8 bytes from byte"));
}

// Every truncation and every flipped bit: an error or a model, never more.
TEST(TfliteFile, SurvivesDamage) {
  const std::string content = small().file();
  for (size_t length = 0; length < content.size(); ++length) {
    const std::string cut = why(content.substr(0, length));
    EXPECT_THAT(cut, HasSubstr("model.tflite: ")) << length;
  }
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string damaged = content;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    (void)why(damaged);
  }
}

TEST(TfliteFile, SaysWhatIsWrong) {
  EXPECT_THAT(why(""), HasSubstr("ends within its first eight bytes"));
  EXPECT_THAT(why(FlatTable().number(0, uint32_t{2}).file("TFL3")),
              HasSubstr("schema version 2, but only version 3 is read"));
  EXPECT_THAT(why(FlatTable().number(0, uint32_t{3}).file("TFL3")), HasSubstr("has no graph"));
  std::string far = small().file();
  far.replace(0, 4, "\xff\xff\xff\x7f");
  EXPECT_THAT(why(far), HasSubstr("byte 2147483647: a table is broken or lies outside the file"));

  TfModel model = small();
  model.set_outputs({99});
  EXPECT_THAT(refusal(model), HasSubstr("a graph output is tensor 99, but there are"));
  TfModel negative;
  negative.input({TfType::kFloat32, {-7}});
  EXPECT_THAT(refusal(negative), HasSubstr("tensor 0 't0': has a size of -7"));
  TfModel nothing;
  const auto x = nothing.input({TfType::kFloat32, {1}});
  const auto unset = nothing.tensor({TfType::kFloat32, {1}});
  const auto y = nothing.tensor({TfType::kFloat32, {1}});
  nothing.op("ADD", {x, unset}, {y});
  nothing.set_outputs({y});
  EXPECT_THAT(refusal(nothing), HasSubstr("ADD 't2': reads tensor 1 't1' before anything sets it"));
  TfModel short_weights;
  const auto in = short_weights.input({TfType::kFloat32, {4}});
  const auto w = short_weights.tensor({TfType::kFloat32, {4}, "1234"});
  short_weights.op("ADD", {in, w}, {w});
  short_weights.set_outputs({w});
  EXPECT_THAT(refusal(short_weights), HasSubstr("constant 't1'"));
}

TEST(TfliteFile, ListsEverythingThatIsMissing) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1}});
  const auto a = model.tensor({.shape = {1}, .name = "a"});
  const auto b = model.tensor({.shape = {1}, .name = "b"});
  const auto y = model.tensor({.shape = {1}, .name = "y"});
  model.op("FlexErf", {x}, {a});
  model.op("mine", {x}, {b});
  model.op("ADD", {a, b}, {y});
  model.set_outputs({y});
  const std::string words = refusal(model);
  EXPECT_THAT(words, HasSubstr("CUSTOM:FlexErf 'a': needs TensorFlow's own kernels"));
  EXPECT_THAT(words, HasSubstr("CUSTOM:mine 'b': a custom operator that is not known here"));
  EXPECT_THAT(words, testing::Not(HasSubstr("ADD")));
}

TEST(TfliteFile, LimitsWhatSizesMayAskFor) {
  TfModel state;
  const auto x = state.input({TfType::kFloat32, {1}});
  const auto huge = state.tensor({TfType::kFloat32, {2000000000, 2000000000}, "", {}, {}, 0, true});
  const auto y = state.tensor({TfType::kFloat32, {1}});
  state.op("ADD", {x, huge}, {y});
  state.set_outputs({y});
  EXPECT_THAT(refusal(state), HasSubstr("the state 't1' is too large"));
  TfModel filled;
  const auto shape = filled.ints({2000000000, 2000000000});
  const auto z = filled.tensor({TfType::kFloat32, {1}});
  filled.op("FILL", {shape, filled.constant({}, {1})}, {z});
  filled.set_outputs({z});
  (void)refusal(filled);  // whatever is said, it takes no memory
}

}  // namespace
}  // namespace supernova::import::tflite
