#include "picture.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 32768
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace supernova::apps {
namespace {

using tensor::DataType;

struct Layout {
  int64_t channels = 3;
  int64_t height = -1;
  int64_t width = -1;
  bool channels_first = true;
};

bool is_channels(int64_t size) { return size == 1 || size == 3 || size == 4; }

base::Result<Layout> layout_of(const tensor::TensorInfo& input, const tensor::Options& options) {
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(
        base::str_cat("input '", input.name, "' of shape ", tensor::shape_to_string(input.shape),
                      " does not take a picture: ", why, "; give it a .npy file"));
  };
  std::span<const int64_t> dims(input.shape.data(), input.shape.size());
  if (!input.rank_known) return refuse("its rank is not known");
  if (dims.size() == 4) {
    if (dims[0] > 1) return refuse("its batch is fixed");
    dims = dims.subspan(1);
  }
  if (dims.size() == 2) return Layout{1, dims[0], dims[1], true};
  if (dims.size() != 3) return refuse("its rank is neither 2, 3 nor 4");
  const auto given = options.find("picture.layout");
  // Where both ends could be channels, three or four of them beat one.
  bool first = is_channels(dims[0]) && !(dims[0] == 1 && (dims[2] == 3 || dims[2] == 4));
  if (given != options.end()) {
    if (given->second != "nchw" && given->second != "nhwc") {
      return absl::InvalidArgumentError("option picture.layout is nchw or nhwc");
    }
    first = given->second == "nchw";
  } else if (!first && !is_channels(dims[2])) {
    return refuse("no dimension is a number of channels (1, 3 or 4); say picture.layout=");
  }
  const int64_t channels = first ? dims[0] : dims[2];
  if (channels >= 0 && !is_channels(channels)) return refuse("its channels are not 1, 3 or 4");
  return first ? Layout{channels < 0 ? 3 : channels, dims[1], dims[2], true}
               : Layout{channels < 0 ? 3 : channels, dims[0], dims[1], false};
}

// One number, or one a channel, separated by commas.
base::Result<std::array<float, 4>> per_channel(const tensor::Options& options,
                                               const std::string& key, float otherwise) {
  std::array<float, 4> values;
  values.fill(otherwise);
  const auto given = options.find(key);
  if (given == options.end()) return values;
  const std::string& text = given->second;
  size_t count = 0;
  const char* at = text.data();
  const char* end = at + text.size();
  while (count < values.size()) {
    const auto [next, error] = std::from_chars(at, end, values[count]);
    if (error != std::errc()) break;
    ++count;
    at = next;
    if (at == end || *at != ',') break;
    ++at;
  }
  if (count == 0 || at != end) {
    return absl::InvalidArgumentError(
        base::str_cat("option ", key, "=", text, ": give one number, or one a channel"));
  }
  if (count == 1) values.fill(values[0]);
  return values;
}

struct Picture {
  int width = 0;
  int height = 0;
  int channels = 0;
  std::unique_ptr<stbi_uc, void (*)(void*)> pixels{nullptr, stbi_image_free};

  // Bilinear, with pixel centres aligned.
  float sample(float y, float x, int channel) const {
    const auto clamp = [](float v, int size) {
      return std::clamp(v, 0.0f, static_cast<float>(size - 1));
    };
    y = clamp(y, height);
    x = clamp(x, width);
    const int y0 = static_cast<int>(y);
    const int x0 = static_cast<int>(x);
    const int y1 = std::min(y0 + 1, height - 1);
    const int x1 = std::min(x0 + 1, width - 1);
    const float fy = y - static_cast<float>(y0);
    const float fx = x - static_cast<float>(x0);
    const auto at = [&](int row, int column) {
      return static_cast<float>(
          pixels.get()[(static_cast<size_t>(row) * width + column) * channels + channel]);
    };
    return (at(y0, x0) * (1 - fx) + at(y0, x1) * fx) * (1 - fy) +
           (at(y1, x0) * (1 - fx) + at(y1, x1) * fx) * fy;
  }
};

}  // namespace

bool looks_like_picture(std::string_view content) {
  return content.starts_with("\xFF\xD8\xFF") || content.starts_with("\x89PNG\r\n\x1A\n") ||
         content.starts_with("BM") || content.starts_with("GIF8") || content.starts_with("P5") ||
         content.starts_with("P6");
}

base::Result<tensor::Tensor> picture_to_tensor(std::string_view content, std::string_view what,
                                               const tensor::TensorInfo& input,
                                               const tensor::Options& options, std::string& done) {
  const DataType type = input.data_type;
  if (type != DataType::kUint8 && type != DataType::kInt8 && type != DataType::kFp32) {
    return absl::InvalidArgumentError(
        base::str_cat("input '", input.name, "' is ", tensor::data_type_name(type),
                      ", a picture can become UINT8, INT8 or FP32; give it a .npy file"));
  }
  SN_ASSIGN(Layout layout, layout_of(input, options));
  SN_ASSIGN(const auto mean, per_channel(options, "picture.mean", 0));
  SN_ASSIGN(const auto deviation, per_channel(options, "picture.std", 1));
  const auto order = options.find("picture.channels");
  if (order != options.end() && order->second != "rgb" && order->second != "bgr") {
    return absl::InvalidArgumentError("option picture.channels is rgb or bgr");
  }
  const bool bgr = order != options.end() && order->second == "bgr" && layout.channels >= 3;

  Picture picture;
  int found = 0;
  picture.channels = static_cast<int>(layout.channels);
  picture.pixels.reset(stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(content.data()),
                                             static_cast<int>(content.size()), &picture.width,
                                             &picture.height, &found, picture.channels));
  if (!picture.pixels) {
    return absl::InvalidArgumentError(
        base::str_cat(what, ": not a picture that can be read: ", stbi_failure_reason()));
  }
  if (layout.height < 0) layout.height = picture.height;
  if (layout.width < 0) layout.width = picture.width;

  tensor::Tensor tensor;
  tensor.data_type = type;
  if (input.shape.size() == 4) tensor.shape.push_back(1);
  if (input.shape.size() == 2) {
    tensor.shape = {layout.height, layout.width};
  } else if (layout.channels_first) {
    tensor.shape.insert(tensor.shape.end(), {layout.channels, layout.height, layout.width});
  } else {
    tensor.shape.insert(tensor.shape.end(), {layout.height, layout.width, layout.channels});
  }
  SN_ASSIGN(const size_t bytes, tensor::byte_size(type, tensor.shape));
  tensor.buffer = tensor::Buffer::allocate(bytes);
  if (tensor.buffer.data() == nullptr) {
    return absl::ResourceExhaustedError(base::str_cat(what, ": no memory for ", bytes, " bytes"));
  }
  const float scale_y = static_cast<float>(picture.height) / static_cast<float>(layout.height);
  const float scale_x = static_cast<float>(picture.width) / static_cast<float>(layout.width);
  for (int64_t y = 0; y < layout.height; ++y) {
    for (int64_t x = 0; x < layout.width; ++x) {
      for (int64_t c = 0; c < layout.channels; ++c) {
        const int source = static_cast<int>(bgr && c < 3 ? 2 - c : c);
        const float pixel = picture.sample((static_cast<float>(y) + 0.5f) * scale_y - 0.5f,
                                           (static_cast<float>(x) + 0.5f) * scale_x - 0.5f, source);
        const size_t at = static_cast<size_t>(layout.channels_first
                                                  ? (c * layout.height + y) * layout.width + x
                                                  : (y * layout.width + x) * layout.channels + c);
        std::byte* memory = tensor.buffer.data();
        if (type == DataType::kFp32) {
          const float value =
              (pixel - mean[static_cast<size_t>(c)]) / deviation[static_cast<size_t>(c)];
          std::memcpy(memory + at * sizeof(float), &value, sizeof(float));
        } else {
          const int whole = static_cast<int>(std::lround(pixel));
          memory[at] = static_cast<std::byte>(type == DataType::kInt8 ? whole - 128 : whole);
        }
      }
    }
  }
  done = base::str_cat("picture ", picture.width, "x", picture.height, " -> ",
                       tensor::shape_to_string(tensor.shape),
                       layout.channels_first ? " (channels first, " : " (channels last, ",
                       bgr                    ? "BGR)"
                       : layout.channels == 1 ? "grey)"
                                              : "RGB)");
  return tensor;
}

}  // namespace supernova::apps
