#include "import/caffe/weights.h"

#include <array>
#include <cstring>

#include "import/caffe/net.h"
#include "import/wire/wire.h"

namespace supernova::import::caffe {
namespace {

using wire::Fields;
using wire::FieldType;
using wire::MessageType;
using wire::Place;
using wire::WireType;

constexpr size_t kMaxLayers = 20000;
constexpr size_t kMaxBlobs = 256;  // of one layer
constexpr size_t kMaxRank = 32;

namespace net_field {
constexpr uint32_t kName = 1;
constexpr uint32_t kOldLayer = 2;
constexpr uint32_t kLayer = 100;
}  // namespace net_field

constexpr std::array<FieldType, 9> kNetFields{{{1, WireType::kBytes, "name"},
                                               {2, WireType::kBytes, "layers"},
                                               {3, WireType::kBytes, "input"},
                                               {4, WireType::kVarint, "input_dim", true},
                                               {5, WireType::kVarint, "force_backward"},
                                               {6, WireType::kBytes, "state"},
                                               {7, WireType::kVarint, "debug_info"},
                                               {8, WireType::kBytes, "input_shape"},
                                               {100, WireType::kBytes, "layer"}}};
constexpr MessageType kNetType{"NetParameter", kNetFields};

constexpr std::array<FieldType, 5> kLayerFields{{{1, WireType::kBytes, "name"},
                                                 {2, WireType::kBytes, "type"},
                                                 {3, WireType::kBytes, "bottom"},
                                                 {4, WireType::kBytes, "top"},
                                                 {7, WireType::kBytes, "blobs"}}};
constexpr MessageType kLayerType{"LayerParameter", kLayerFields};

constexpr std::array<FieldType, 6> kOldLayerFields{{{1, WireType::kBytes, "layer"},
                                                    {2, WireType::kBytes, "bottom"},
                                                    {3, WireType::kBytes, "top"},
                                                    {4, WireType::kBytes, "name"},
                                                    {5, WireType::kVarint, "type"},
                                                    {6, WireType::kBytes, "blobs"}}};
constexpr MessageType kOldLayerType{"V1LayerParameter", kOldLayerFields};

constexpr std::array<FieldType, 11> kBlobFields{{{1, WireType::kVarint, "num"},
                                                 {2, WireType::kVarint, "channels"},
                                                 {3, WireType::kVarint, "height"},
                                                 {4, WireType::kVarint, "width"},
                                                 {5, WireType::kFixed32, "data", true},
                                                 {6, WireType::kFixed32, "diff", true},
                                                 {7, WireType::kBytes, "shape"},
                                                 {8, WireType::kFixed64, "double_data", true},
                                                 {9, WireType::kFixed64, "double_diff", true},
                                                 {10, WireType::kVarint, "raw_data_type"},
                                                 {12, WireType::kBytes, "raw_data"}}};
constexpr MessageType kBlobType{"BlobProto", kBlobFields};

constexpr std::array<FieldType, 1> kShapeFields{{{1, WireType::kVarint, "dim", true}}};
constexpr MessageType kShapeType{"BlobShape", kShapeFields};

enum RawType : uint64_t { kDouble = 0, kFloat = 1, kFloat16 = 2 };

// Numbers of one field: the bytes in place where they lie in one piece, else gathered.
class Numbers {
 public:
  void add(const Fields& field, size_t width) {
    if (field.wire_type() == WireType::kBytes) {
      if (pieces_++ == 0) {
        view_ = field.view();
        return;
      }
      gather();
      gathered_->append(field.view());
    } else {
      ++pieces_;
      gather();
      const uint64_t value = field.value();
      gathered_->append(reinterpret_cast<const char*>(&value), width);
    }
  }
  bool any() const { return pieces_ > 0; }
  std::string_view bytes() const { return gathered_ ? std::string_view(*gathered_) : view_; }
  const std::shared_ptr<std::string>& gathered() const { return gathered_; }

 private:
  void gather() {
    if (!gathered_) gathered_ = std::make_shared<std::string>(view_);
  }
  size_t pieces_ = 0;
  std::string_view view_;
  std::shared_ptr<std::string> gathered_;
};

std::shared_ptr<std::string> floats_of_doubles(std::string_view bytes) {
  auto out = std::make_shared<std::string>(bytes.size() / 8 * 4, '\0');
  for (size_t i = 0; i < bytes.size() / 8; ++i) {
    double value = 0;
    std::memcpy(&value, bytes.data() + 8 * i, 8);
    const auto narrow = static_cast<float>(value);
    std::memcpy(out->data() + 4 * i, &narrow, 4);
  }
  return out;
}

struct BlobParts {
  std::vector<int64_t> shape;
  bool has_shape = false;
  std::array<int64_t, 4> old_shape{0, 0, 0, 0};
  bool has_old_shape = false;
  Numbers floats;
  Numbers doubles;
  std::string_view raw;
  uint64_t raw_type = kFloat;
};

base::Status read_shape(Place place, std::vector<int64_t>& shape) {
  Fields fields(place, kShapeType);
  while (fields.next()) {
    if (!fields.known()) continue;
    SN_TRY(fields.each_varint([&](int64_t size) {
      if (shape.size() <= kMaxRank) shape.push_back(size);
    }));
  }
  SN_TRY(fields.status());
  if (shape.size() > kMaxRank) return absl::InvalidArgumentError("a blob has too many axes");
  return absl::OkStatus();
}

base::Result<BlobParts> read_parts(Place place) {
  BlobParts parts;
  Fields fields(place, kBlobType);
  while (fields.next()) {
    switch (fields.number()) {
      case 1:
      case 2:
      case 3:
      case 4:
        parts.old_shape[fields.number() - 1] = fields.signed_value();
        parts.has_old_shape = true;
        break;
      case 5:
        parts.floats.add(fields, 4);
        break;
      case 7:
        parts.has_shape = true;
        parts.shape.clear();
        SN_TRY(read_shape(fields.place(), parts.shape));
        break;
      case 8:
        parts.doubles.add(fields, 8);
        break;
      case 10:
        parts.raw_type = fields.value();
        break;
      case 12:
        parts.raw = fields.view();
        break;
      default:
        break;
    }
  }
  SN_TRY(fields.status());
  return parts;
}

base::Result<graph::Constant> make_constant(BlobParts& parts,
                                            const std::shared_ptr<const void>& owner) {
  std::string_view bytes;
  auto type = tensor::DataType::kFp32;
  std::shared_ptr<const void> keeper = owner;
  std::shared_ptr<std::string> made = parts.floats.gathered();
  if (parts.doubles.any()) {
    made = floats_of_doubles(parts.doubles.bytes());
  } else if (!parts.floats.any() && !parts.raw.empty()) {
    bytes = parts.raw;
    if (parts.raw_type == kDouble) made = floats_of_doubles(parts.raw);
    if (parts.raw_type == kFloat16) type = tensor::DataType::kFp16;
    if (parts.raw_type > kFloat16) {
      return absl::UnimplementedError("its numbers are of an integer type, which is not taken");
    }
  } else {
    bytes = parts.floats.bytes();
  }
  if (made) {
    bytes = *made;
    keeper = std::move(made);
  }
  std::vector<int64_t> shape = std::move(parts.shape);
  if (!parts.has_shape && parts.has_old_shape) {
    shape.assign(parts.old_shape.begin(), parts.old_shape.end());
  } else if (!parts.has_shape) {
    shape = {static_cast<int64_t>(bytes.size() / tensor::element_size(type))};
  }
  SN_ASSIGN(const graph::Constant stored,
            graph::Constant::checked(type, std::move(shape), bytes, std::move(keeper)));
  return type == tensor::DataType::kFp16 ? stored.widened() : stored;
}

struct LayerParts {
  std::string_view name;
  std::string_view type;
  uint64_t old_type = 0;
  bool oldest = false;
  std::vector<Place> blobs;
};

base::Result<LayerParts> read_layer(Place place, bool old) {
  LayerParts parts;
  Fields fields(place, old ? kOldLayerType : kLayerType);
  const uint32_t name = old ? 4 : 1;
  const uint32_t blobs = old ? 6 : 7;
  while (fields.next()) {
    if (fields.number() == name) parts.name = fields.view();
    if (old && fields.number() == 1) parts.oldest = true;
    if (old && fields.number() == 5) parts.old_type = fields.value();
    if (!old && fields.number() == 2) parts.type = fields.view();
    if (fields.number() == blobs) {
      if (parts.blobs.size() == kMaxBlobs) {
        return absl::InvalidArgumentError(base::str_cat("layer '", parts.name.substr(0, 60),
                                                        "' has more than ", kMaxBlobs, " blobs"));
      }
      parts.blobs.push_back(fields.place());
    }
  }
  SN_TRY(fields.status());
  return parts;
}

base::Status add_layer(Place place, bool old, const std::shared_ptr<const void>& owner,
                       Weights& weights) {
  SN_ASSIGN(const LayerParts parts, read_layer(place, old));
  if (parts.oldest) {
    return absl::UnimplementedError(
        "the file is in the oldest form of Caffe's nets (V0), which is not taken; convert it with "
        "Caffe's own upgrade_net_proto_binary");
  }
  if (parts.blobs.empty()) return absl::OkStatus();
  LayerWeights layer;
  layer.type = old ? std::string(newer_type(base::str_cat(parts.old_type)))
                   : std::string(parts.type.substr(0, 60));
  for (size_t i = 0; i < parts.blobs.size(); ++i) {
    base::Result<BlobParts> blob = read_parts(parts.blobs[i]);
    base::Result<graph::Constant> constant =
        blob.ok() ? make_constant(*blob, owner) : base::Result<graph::Constant>(blob.status());
    if (!constant.ok()) {
      return base::annotate(constant.status(),
                            base::str_cat("layer '", parts.name.substr(0, 60), "', blob ", i));
    }
    layer.blobs.push_back(*std::move(constant));
  }
  weights.layers.insert_or_assign(std::string(parts.name), std::move(layer));
  return absl::OkStatus();
}

// A layer as something other than Caffe would hardly write it.
bool looks_like_layer(Place place, bool old) {
  const auto parts = read_layer(place, old);
  if (!parts.ok()) return false;
  if (!old) return !parts->type.empty();
  return parts->oldest || (parts->old_type > 0 && parts->old_type < 1000);
}

}  // namespace

bool is_weights(std::string_view file) {
  bool layer = false;
  Fields fields({file, file}, kNetType);
  while (fields.next()) {
    if (!fields.known()) return false;
    const bool old = fields.number() == net_field::kOldLayer;
    if (!old && fields.number() != net_field::kLayer) continue;
    if (!layer && !looks_like_layer(fields.place(), old)) return false;
    layer = true;
  }
  return fields.status().ok() && layer;
}

base::Result<Weights> read_weights(std::string_view file, std::shared_ptr<const void> owner) {
  Weights weights;
  size_t layers = 0;
  Fields fields({file, file}, kNetType);
  while (fields.next()) {
    if (fields.number() == net_field::kName) weights.net = fields.view().substr(0, 200);
    const bool old = fields.number() == net_field::kOldLayer;
    if (!old && fields.number() != net_field::kLayer) continue;
    if (++layers > kMaxLayers) return absl::InvalidArgumentError("the file has too many layers");
    weights.old_layers |= old;
    SN_TRY(add_layer(fields.place(), old, owner, weights));
  }
  SN_TRY(fields.status());
  if (layers == 0) return absl::InvalidArgumentError("the file has no layers");
  return weights;
}

}  // namespace supernova::import::caffe
