// Sends a recording to a served speech detector, 32 ms at a time, and prints where it hears speech.
//
//   hear-speech HOST:PORT MODEL RECORDING.wav [--save-request FILE]
//
// The model takes `input` [1,512] (16 kHz samples in -1..1), `state` [2,1,128] (zeros first, then
// what the previous answer gave) and `sr` (16000); it answers `output` [1,1], the probability of
// speech, and `stateN`. Requests carry binary tensors (docs/howto/rest.md); --save-request keeps
// the loudest one as JSON, to be sent again with curl.
#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;

constexpr int kRate = 16000;
constexpr size_t kChunk = 512;
constexpr size_t kState = 2 * 1 * 128;

struct Recording {
  int rate = 0;
  std::vector<float> samples;  // first channel, -1..1
};

template <typename T>
T read_at(const std::vector<char>& bytes, size_t at) {
  if (at + sizeof(T) > bytes.size()) throw std::runtime_error("the recording is cut short");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

// RIFF WAVE with 16-bit PCM, any rate and number of channels.
Recording read_wav(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<char> bytes(std::istreambuf_iterator<char>(stream), {});
  if (!stream || bytes.size() < 12 || std::memcmp(bytes.data(), "RIFF", 4) != 0 ||
      std::memcmp(bytes.data() + 8, "WAVE", 4) != 0) {
    throw std::runtime_error(path + " is not a WAV file that can be read");
  }
  Recording recording;
  size_t channels = 0;
  for (size_t at = 12; at + 8 <= bytes.size();) {
    const uint32_t size = read_at<uint32_t>(bytes, at + 4);
    if (std::memcmp(bytes.data() + at, "fmt ", 4) == 0) {
      channels = read_at<uint16_t>(bytes, at + 10);
      recording.rate = static_cast<int>(read_at<uint32_t>(bytes, at + 12));
      if (read_at<uint16_t>(bytes, at + 8) != 1 || read_at<uint16_t>(bytes, at + 22) != 16) {
        throw std::runtime_error(path + " is not 16-bit PCM");
      }
    } else if (std::memcmp(bytes.data() + at, "data", 4) == 0 && channels > 0) {
      const size_t end = std::min<size_t>(at + 8 + size, bytes.size());
      for (size_t i = at + 8; i + 2 * channels <= end; i += 2 * channels) {
        recording.samples.push_back(static_cast<float>(read_at<int16_t>(bytes, i)) / 32768.0f);
      }
    }
    at += 8 + static_cast<size_t>(size) + size % 2;
  }
  if (recording.rate <= 0 || recording.samples.empty()) {
    throw std::runtime_error(path + " holds no samples");
  }
  return recording;
}

// Windowed-sinc interpolation (Hann, 16 zero crossings), cut off at the lower of the two Nyquist
// rates.
std::vector<float> resample(const Recording& recording) {
  const double ratio = static_cast<double>(recording.rate) / kRate;
  const double cutoff = std::min(1.0, 1.0 / ratio);
  const double reach = 16.0 / cutoff;
  const auto& in = recording.samples;
  std::vector<float> out(static_cast<size_t>(static_cast<double>(in.size()) / ratio));
  for (size_t i = 0; i < out.size(); ++i) {
    const double centre = static_cast<double>(i) * ratio;
    const auto first = static_cast<int64_t>(std::max(0.0, std::ceil(centre - reach)));
    const auto last = std::min<int64_t>(static_cast<int64_t>(in.size()) - 1,
                                        static_cast<int64_t>(std::floor(centre + reach)));
    double sum = 0;
    for (int64_t k = first; k <= last; ++k) {
      const double x = (static_cast<double>(k) - centre) * cutoff;
      const double sinc = x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
      const double window = 0.5 + 0.5 * std::cos(std::numbers::pi * x / 16.0);
      sum += in[static_cast<size_t>(k)] * sinc * window;
    }
    out[i] = static_cast<float>(sum * cutoff);
  }
  return out;
}

class Detector {
 public:
  Detector(const std::string& address, std::string model)
      : host_(address), model_(std::move(model)) {
    const size_t colon = address.rfind(':');
    if (colon == std::string::npos) throw std::runtime_error("give the server as HOST:PORT");
    tcp::resolver resolver(context_);
    boost::asio::connect(socket_,
                         resolver.resolve(address.substr(0, colon), address.substr(colon + 1)));
  }

  // The probability of speech in the next 512 samples.
  float hear(const float* samples) {
    static const std::string head =
        R"({"inputs":[{"name":"input","datatype":"FP32","shape":[1,512],"parameters":{"binary_data_size":2048}},)"
        R"({"name":"state","datatype":"FP32","shape":[2,1,128],"parameters":{"binary_data_size":1024}},)"
        R"({"name":"sr","datatype":"INT64","shape":[],"data":[16000]}],)"
        R"("outputs":[{"name":"output","parameters":{"binary_data":true}},)"
        R"({"name":"stateN","parameters":{"binary_data":true}}]})";
    http::request<http::string_body> request(http::verb::post, "/v2/models/" + model_ + "/infer",
                                             11);
    request.set(http::field::host, host_);
    request.set("Inference-Header-Content-Length", std::to_string(head.size()));
    request.body() = head;
    request.body().append(reinterpret_cast<const char*>(samples), kChunk * sizeof(float));
    request.body().append(reinterpret_cast<const char*>(state_.data()), kState * sizeof(float));
    request.prepare_payload();
    http::write(socket_, request);
    http::response<http::string_body> response;
    http::read(socket_, buffer_, response);
    const std::string& body = response.body();
    if (response.result() != http::status::ok) throw std::runtime_error("the server says: " + body);
    // The two binary outputs are the end of the body, in the order asked for.
    constexpr size_t kTail = sizeof(float) + kState * sizeof(float);
    if (body.size() < kTail) throw std::runtime_error("the answer is too short");
    float probability = 0;
    std::memcpy(&probability, body.data() + body.size() - kTail, sizeof(float));
    std::memcpy(state_.data(), body.data() + body.size() - kState * sizeof(float),
                kState * sizeof(float));
    return probability;
  }

  const std::vector<float>& state() const { return state_; }

 private:
  std::string host_;
  std::string model_;
  boost::asio::io_context context_;
  tcp::socket socket_{context_};
  boost::beast::flat_buffer buffer_;
  std::vector<float> state_ = std::vector<float>(kState);
};

void append_floats(std::string& out, const float* values, size_t count) {
  char text[32];
  for (size_t i = 0; i < count; ++i) {
    std::snprintf(text, sizeof(text), "%s%.9g", i == 0 ? "" : ",", static_cast<double>(values[i]));
    out += text;
  }
}

void save_request(const std::string& path, const float* samples, const std::vector<float>& state) {
  std::string json = R"({"inputs":[{"name":"input","datatype":"FP32","shape":[1,512],"data":[)";
  append_floats(json, samples, kChunk);
  json += R"(]},{"name":"state","datatype":"FP32","shape":[2,1,128],"data":[)";
  append_floats(json, state.data(), state.size());
  json +=
      R"(]},{"name":"sr","datatype":"INT64","shape":[],"data":[16000]}],"outputs":[{"name":"output"}]})";
  std::ofstream(path) << json << "\n";
}

int run(int argc, char** argv) {
  if (argc != 4 && !(argc == 6 && std::string(argv[4]) == "--save-request")) {
    std::fprintf(stderr,
                 "usage: hear-speech HOST:PORT MODEL RECORDING.wav [--save-request FILE]\n");
    return 2;
  }
  std::vector<float> samples = resample(read_wav(argv[3]));
  // Half a second of silence after the recording shows that the detector falls back.
  samples.resize((samples.size() / kChunk + 1) * kChunk + kRate / 2 / kChunk * kChunk, 0.0f);
  Detector detector(argv[1], argv[2]);
  std::string line;
  float best = 0;
  float last = 0;
  size_t best_at = 0;
  for (size_t at = 0; at + kChunk <= samples.size(); at += kChunk) {
    const std::vector<float> before = detector.state();
    last = detector.hear(&samples[at]);
    line += last >= 0.5f ? '#' : '.';
    if (last > best) {
      best = last;
      best_at = at;
      if (argc == 6) save_request(argv[5], &samples[at], before);
    }
  }
  std::printf("%s\n  %s   (# = speech, . = none; 32 ms each)\n", argv[3], line.c_str());
  std::printf("  speech %.2f at %.2f s, silence after it %.2f\n", static_cast<double>(best),
              static_cast<double>(best_at) / kRate, static_cast<double>(last));
  // The answer is known: the recording speaks and the silence does not.
  if (best < 0.5f || last >= 0.5f) {
    std::fprintf(stderr, "error: expected speech in the recording and none in the silence\n");
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
