// supernova-bench-json: what a number of a JSON tensor costs, read and written, by the spelling of
// numbers. Beside it: std::from_chars called number by number, without any check, and simdjson's
// on-demand interface. Prints a Markdown table of nanoseconds of processor time a number, the best
// of several rounds that take turns. See bench/README.md.
#include <simdjson.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "protocol/oip/json_data.h"
#include "protocol/oip/json_values.h"

namespace supernova::bench {
namespace {

constexpr size_t kNumbers = 150'528;  // 3 x 224 x 224
constexpr int kRounds = 21;
constexpr int kWays = 4;

template <typename T, typename... Format>
std::string text_of(T value, Format... format) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof(text), value, format...).ptr};
}

struct Spelling {
  const char* name;
  const char* separator;
  std::function<std::string(std::mt19937&)> number;
};

std::vector<Spelling> spellings() {
  using Range = std::uniform_real_distribution<double>;
  const auto shortest = [](std::mt19937& random) {
    return text_of(static_cast<float>(Range(-2.5, 2.5)(random)));
  };
  const auto as_double = [](std::mt19937& random) {
    return text_of(static_cast<double>(static_cast<float>(Range(-2.5, 2.5)(random))));
  };
  const auto fixed = [](std::mt19937& random) {
    return text_of(Range(0, 1)(random), std::chars_format::fixed, 6);
  };
  const auto scientific = [](std::mt19937& random) {
    return text_of(Range(-0.01, 0.01)(random), std::chars_format::scientific, 2);
  };
  const auto byte = [](std::mt19937& random) { return text_of(random() % 256); };
  return {{"0.123456", ",", fixed},
          {"shortest float, -2.5 to 2.5", ",", shortest},
          {"the same as doubles, 17 digits", ", ", as_double},
          {"-1.52e-03", ",", scientific},
          {"0 to 255", ",", byte}};
}

std::string array_of(const Spelling& spelling) {
  std::mt19937 random(1);
  std::string text = "[";
  for (size_t i = 0; i < kNumbers; ++i) {
    if (i > 0) text += spelling.separator;
    text += spelling.number(random);
  }
  return text + "]";
}

double with_from_chars(const std::string& text) {
  std::vector<float> values(kNumbers);
  const char* at = text.data();
  for (float& value : values) {
    while (*at == '[' || *at == ',' || *at == ' ') ++at;
    at = std::from_chars(at, text.data() + text.size(), value).ptr;
  }
  return values.back();
}

double with_simdjson(const std::string& text) {
  static simdjson::ondemand::parser parser;
  std::vector<float> values;
  values.reserve(kNumbers);
  auto document = parser.iterate(text.data(), text.size(), text.capacity());
  for (auto value : document.get_array()) {
    values.push_back(static_cast<float>(value.get_double().value()));
  }
  return values.back();
}

tensor::Tensor with_reader(const std::string& text) {
  protocol::oip::JsonReader reader(text);
  tensor::Tensor tensor{"x", tensor::DataType::kFp32, {int64_t{kNumbers}}, {}};
  auto buffer = read_json_data(reader, tensor.data_type, kNumbers);
  if (buffer.ok()) tensor.buffer = *std::move(buffer);
  return tensor;
}

double write(const tensor::Tensor& tensor) {
  const auto values = protocol::oip::JsonValues::of(tensor);
  std::string out;
  const bool is_written = values.ok() && values->append(out, 0, values->count()).ok();
  return is_written ? static_cast<double>(out.size()) : 0;
}

// Nanoseconds that this thread ran; other work on the machine does not count.
double processor_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

void measure(const Spelling& spelling) {
  std::string text = array_of(spelling);
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  const tensor::Tensor tensor = with_reader(text);
  double best[kWays];
  std::fill_n(best, kWays, 1e9);
  double used = 0;  // so that nothing is left out
  for (int round = 0; round < kRounds; ++round) {
    for (int way = 0; way < kWays; ++way) {
      const double start = processor_time();
      used += way == 0   ? with_from_chars(text)
              : way == 1 ? with_simdjson(text)
              : way == 2 ? static_cast<double>(with_reader(text).buffer.size())
                         : write(tensor);
      best[way] = std::min(best[way], (processor_time() - start) / kNumbers);
    }
  }
  std::printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f |\n", spelling.name,
              static_cast<double>(text.size()) / kNumbers, best[0], best[1], best[2], best[3]);
  if (used == 0) std::printf("nothing was read\n");
}

}  // namespace
}  // namespace supernova::bench

int main() {
  std::printf(
      "| numbers | bytes | from_chars | simdjson | reader | writer |\n|---|---|---|---|---|---|\n");
  for (const auto& spelling : supernova::bench::spellings()) supernova::bench::measure(spelling);
  return 0;
}
