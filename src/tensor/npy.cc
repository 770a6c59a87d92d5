#include "tensor/npy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "tensor/bytes.h"

namespace supernova::tensor {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxRank = 64;
constexpr size_t kHeaderAlignment = 64;

// What the header says. `kind` is NumPy's letter, `item_size` bytes of one element in the file.
struct Header {
  char byte_order = '|';
  char kind = 0;
  size_t item_size = 0;
  bool fortran = false;
  Shape shape;
  size_t data_start = 0;
};

struct Row {
  char kind;
  size_t size;
  DataType type;
};

constexpr std::array<Row, 12> kRows{{{'b', 1, DataType::kBool},
                                     {'u', 1, DataType::kUint8},
                                     {'u', 2, DataType::kUint16},
                                     {'u', 4, DataType::kUint32},
                                     {'u', 8, DataType::kUint64},
                                     {'i', 1, DataType::kInt8},
                                     {'i', 2, DataType::kInt16},
                                     {'i', 4, DataType::kInt32},
                                     {'i', 8, DataType::kInt64},
                                     {'f', 2, DataType::kFp16},
                                     {'f', 4, DataType::kFp32},
                                     {'f', 8, DataType::kFp64}}};

// Reads the header's text: a Python dictionary with three entries in any order.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  base::Status parse(Header& header) {
    if (!take('{')) return bad("'{' is missing");
    bool descr = false;
    bool order = false;
    bool shape = false;
    while (!take('}')) {
      SN_ASSIGN(const std::string_view key, quoted());
      if (!take(':')) return bad("':' is missing");
      if (key == "descr" && !descr) {
        descr = true;
        SN_TRY(parse_descr(header));
      } else if (key == "fortran_order" && !order) {
        order = true;
        SN_ASSIGN(header.fortran, boolean());
      } else if (key == "shape" && !shape) {
        shape = true;
        SN_TRY(parse_shape(header));
      } else {
        return bad("it has an unknown or repeated entry");
      }
      if (!take(',') && peek() != '}') return bad("',' is missing");
    }
    if (!descr || !order || !shape) return bad("descr, fortran_order or shape is missing");
    skip_space();
    return at_ == text_.size() ? absl::OkStatus() : bad("something follows the dictionary");
  }

 private:
  static base::Status bad(std::string_view reason) {
    return absl::InvalidArgumentError(base::str_cat("its .npy header is damaged: ", reason));
  }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char wanted) {
    if (peek() != wanted || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  base::Result<std::string_view> quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return bad("a quoted word is missing");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return bad("a quoted word has no end");
    const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return word;
  }
  base::Result<bool> boolean() {
    if (take_word("True")) return true;
    if (take_word("False")) return false;
    return bad("fortran_order is neither True nor False");
  }

  base::Status parse_descr(Header& header) {
    if (peek() == '[') {
      return absl::InvalidArgumentError(
          "it holds a structured array; save each field as an array of its own");
    }
    SN_ASSIGN(const std::string_view descr, quoted());
    const bool ordered = !descr.empty() && std::strchr("<>|=", descr.front()) != nullptr;
    const std::string_view type = ordered ? descr.substr(1) : descr;
    if (type.starts_with('O')) {
      return absl::InvalidArgumentError(
          "it holds Python objects; convert the array first, strings with .astype('U')");
    }
    if (type.size() < 2 || !base::parse_whole(type.substr(1), header.item_size)) {
      return absl::InvalidArgumentError(base::str_cat("its type '", descr, "' is unknown"));
    }
    header.byte_order = ordered ? descr.front() : '=';
    header.kind = type.front();
    return absl::OkStatus();
  }

  base::Status parse_shape(Header& header) {
    if (!take('(')) return bad("the shape is no tuple");
    while (!take(')')) {
      skip_space();
      const size_t start = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      int64_t size = 0;
      if (!base::parse_whole(text_.substr(start, at_ - start), size)) {
        return bad("a size in the shape is not a number that can be counted to");
      }
      if (header.shape.size() == kMaxRank) return bad("it has more than 64 dimensions");
      header.shape.push_back(size);
      take_word("L");  // long integers of Python 2
      if (!take(',') && peek() != ')') return bad("the shape is no tuple of numbers");
    }
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
};

base::Result<Header> parse_header(std::string_view content) {
  if (!content.starts_with(kMagic) || content.size() < 10) {
    return absl::InvalidArgumentError("it is not a .npy file");
  }
  const auto major = static_cast<uint8_t>(content[6]);
  if (major < 1 || major > 3) {
    return absl::InvalidArgumentError(base::str_cat("its .npy version ", static_cast<int>(major),
                                                    " is unknown (1 to 3 are read)"));
  }
  const size_t field = major == 1 ? 2 : 4;
  size_t length = 0;
  if (content.size() < 8 + field) return absl::InvalidArgumentError("its .npy header is cut off");
  std::memcpy(&length, content.data() + 8, field);  // little-endian, as the host is
  if (content.size() - 8 - field < length) {
    return absl::InvalidArgumentError("its .npy header is cut off");
  }
  Header header;
  header.data_start = 8 + field + length;
  SN_TRY(HeaderParser(content.substr(8 + field, length)).parse(header));
  return header;
}

void swap_bytes(std::byte* data, size_t count, size_t size) {
  for (size_t i = 0; i < count; ++i) std::reverse(data + i * size, data + (i + 1) * size);
}

// Calls use(index of the element in the file) for every element in C order.
template <typename Use>
void for_each_in_c_order(const Header& header, int64_t count, Use use) {
  const size_t rank = header.shape.size();
  Shape strides(rank, 1);  // in the file, in elements
  for (size_t i = 1; i < rank; ++i) {
    const size_t at = header.fortran ? i : rank - 1 - i;
    const size_t before = header.fortran ? i - 1 : rank - i;
    strides[at] = strides[before] * header.shape[before];
  }
  Shape index(rank, 0);
  int64_t offset = 0;
  for (int64_t n = 0; n < count; ++n) {
    use(static_cast<size_t>(offset));
    for (size_t axis = rank; axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < header.shape[axis]) break;
      offset -= strides[axis] * header.shape[axis];
      index[axis] = 0;
    }
  }
}

base::Result<Tensor> numbers(const Header& header, DataType type, std::string_view data,
                             int64_t count) {
  Tensor tensor{"", type, header.shape, Buffer::allocate(data.size())};
  if (tensor.buffer.data() == nullptr)
    return absl::ResourceExhaustedError("there is no memory for it");
  std::byte* out = tensor.buffer.data();
  const size_t size = header.item_size;
  if (header.fortran && header.shape.size() > 1) {
    for_each_in_c_order(header, count, [&](size_t index) {
      std::memcpy(out, data.data() + index * size, size);
      out += size;
    });
  } else if (!data.empty()) {
    std::memcpy(out, data.data(), data.size());
  }
  if (header.byte_order == '>' && size > 1) {
    swap_bytes(tensor.buffer.data(), static_cast<size_t>(count), size);
  }
  if (type == DataType::kBool) {
    for (size_t i = 0; i < tensor.buffer.size(); ++i) {
      tensor.buffer.data()[i] = std::byte{tensor.buffer.data()[i] != std::byte{0}};
    }
  }
  return tensor;
}

bool append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0U | code >> 6U);
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    if (code >= 0xD800 && code < 0xE000) return false;
    out += static_cast<char>(0xE0U | code >> 12U);
    out += static_cast<char>(0x80U | (code >> 6U & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else if (code < 0x110000) {
    out += static_cast<char>(0xF0U | code >> 18U);
    out += static_cast<char>(0x80U | (code >> 12U & 0x3FU));
    out += static_cast<char>(0x80U | (code >> 6U & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else {
    return false;
  }
  return true;
}

// One fixed-width field of the file without its zero padding, as UTF-8; nothing where it is no
// text.
std::optional<std::string> field_text(std::string_view field, const Header& header) {
  std::string text;
  if (header.kind == 'S') {
    const size_t last = field.find_last_not_of('\0');
    text = field.substr(0, last == std::string_view::npos ? 0 : last + 1);
    return text;
  }
  size_t used = 0;
  for (size_t at = 0; at + 4 <= field.size(); at += 4) {
    uint32_t code = 0;
    std::memcpy(&code, field.data() + at, 4);
    if (header.byte_order == '>') code = __builtin_bswap32(code);
    if (!append_utf8(text, code)) return std::nullopt;
    if (code != 0) used = text.size();
  }
  text.resize(used);
  return text;
}

base::Result<Tensor> strings(const Header& header, std::string_view data, int64_t count) {
  std::string packed;
  int64_t bad = 0;
  for_each_in_c_order(header, count, [&](size_t index) {
    const auto text = field_text(data.substr(index * header.item_size, header.item_size), header);
    bad += text ? 0 : 1;
    if (text) pack_bytes(packed, *text);
  });
  if (bad > 0) {
    return absl::InvalidArgumentError("it holds characters that are not Unicode");
  }
  return Tensor{"", DataType::kBytes, header.shape, Buffer::copy_of(packed)};
}

base::Result<Tensor> parse(std::string_view content) {
  SN_ASSIGN(Header header, parse_header(content));
  SN_ASSIGN(const int64_t count, element_count(header.shape));
  const bool is_string = header.kind == 'S' || header.kind == 'U';
  const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& candidate) {
    return candidate.kind == header.kind && candidate.size == header.item_size;
  });
  if (header.kind == 'U' &&
      __builtin_mul_overflow(header.item_size, size_t{4}, &header.item_size)) {
    return absl::InvalidArgumentError("its strings are absurdly long");
  }
  if (!is_string && row == kRows.end()) {
    return absl::InvalidArgumentError(base::str_cat(
        "its type '", std::string(1, header.kind), header.item_size,
        "' has no counterpart; convert the array to integers, floats, bool or strings"));
  }
  // Fields of no width take no room in the file: nothing there bounds their number.
  if (is_string && header.item_size == 0 && count > static_cast<int64_t>(content.size())) {
    return absl::InvalidArgumentError("it claims more empty strings than is plausible");
  }
  size_t bytes = 0;
  const size_t have = content.size() - header.data_start;
  if (__builtin_mul_overflow(static_cast<size_t>(count), header.item_size, &bytes) ||
      bytes != have) {
    return absl::InvalidArgumentError(base::str_cat(
        "shape ", shape_to_string(header.shape), " with ", header.item_size,
        " bytes an element does not fit the ", have, " bytes of data; the file may be incomplete"));
  }
  const std::string_view data = content.substr(header.data_start);
  return is_string ? strings(header, data, count) : numbers(header, row->type, data, count);
}

std::string_view descr_of(DataType type) {
  switch (type) {
    case DataType::kBool:
      return "|b1";
    case DataType::kUint8:
      return "|u1";
    case DataType::kInt8:
      return "|i1";
    case DataType::kUint16:
    case DataType::kBf16:
      return "<u2";
    case DataType::kUint32:
      return "<u4";
    case DataType::kUint64:
      return "<u8";
    case DataType::kInt16:
      return "<i2";
    case DataType::kInt32:
      return "<i4";
    case DataType::kInt64:
      return "<i8";
    case DataType::kFp16:
      return "<f2";
    case DataType::kFp32:
      return "<f4";
    case DataType::kFp64:
      return "<f8";
    default:
      return "";
  }
}

}  // namespace

base::Result<Tensor> parse_npy(std::string_view content, std::string_view what) {
  base::Result<Tensor> tensor = parse(content);
  if (!tensor.ok()) return base::annotate(tensor.status(), what);
  return tensor;
}

base::Result<std::string> format_npy(const Tensor& tensor) {
  const std::string_view descr = descr_of(tensor.data_type);
  if (descr.empty()) {
    return absl::InvalidArgumentError(base::str_cat("tensor '", tensor.name, "' of ",
                                                    data_type_name(tensor.data_type),
                                                    " can't be written as .npy; use .json"));
  }
  SN_ASSIGN(const size_t bytes, byte_size(tensor.data_type, tensor.shape));
  if (bytes != tensor.buffer.size()) {
    return absl::InternalError(base::str_cat("tensor '", tensor.name, "' has ",
                                             tensor.buffer.size(), " bytes where its shape needs ",
                                             bytes));
  }
  std::string text = base::str_cat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (");
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    text += base::str_cat(i == 0 ? "" : " ", tensor.shape[i], ",");
  }
  if (tensor.shape.size() > 1) text.pop_back();
  text += "), }";
  // Spaces and a newline bring the data to a multiple of 64 bytes.
  const size_t unpadded = 10 + text.size() + 1;
  text.append((kHeaderAlignment - unpadded % kHeaderAlignment) % kHeaderAlignment, ' ');
  text += '\n';
  std::string out(kMagic);
  out += '\x01';
  out += '\0';
  const auto length = static_cast<uint16_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof(length));
  out += text;
  out += tensor.buffer.view();
  return out;
}

}  // namespace supernova::tensor
