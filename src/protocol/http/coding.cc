#include "protocol/http/coding.h"

#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace supernova::protocol::http {
namespace {

constexpr int kWindowBits = 15;
constexpr int kGzipWindowBits = kWindowBits + 16;
constexpr size_t kOutputStep = 32 * 1024;

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                    [](char a, char b) { return lower(a) == b; });
}

std::optional<Coding> coding_of(std::string_view word) {
  if (word.empty() || is_word(word, "identity")) return Coding::kIdentity;
  if (is_word(word, "gzip") || is_word(word, "x-gzip")) return Coding::kGzip;
  if (is_word(word, "deflate")) return Coding::kDeflate;
  return std::nullopt;
}

// Calls `see` with each trimmed part.
template <typename See>
void split(std::string_view text, char separator, See see) {
  for (;;) {
    const size_t end = text.find(separator);
    see(trim(text.substr(0, end)));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

// "0.8" in thousandths; nullopt when it is no weight.
std::optional<int> parse_weight(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = (text[0] - '0') * 1000;
  if (text.size() == 1) return weight;
  if (text[1] != '.' || text.size() > 5) return std::nullopt;
  int unit = 100;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return std::nullopt;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight <= 1000 ? std::optional<int>(weight) : std::nullopt;
}

// The weights of one or more Accept-Encoding fields; -1 = not mentioned.
struct Weights {
  int gzip = -1;
  int deflate = -1;
  int identity = -1;
  int any = -1;

  void read(std::string_view field) {
    split(field, ',', [&](std::string_view item) {
      std::string_view word = item;
      int weight = 1000;
      bool first = true;
      split(item, ';', [&](std::string_view part) {
        if (std::exchange(first, false)) {
          word = part;
        } else if (const size_t equals = part.find('=');
                   equals != std::string_view::npos && is_word(trim(part.substr(0, equals)), "q")) {
          // A weight that can't be read is taken as a refusal: plain is always right.
          weight = parse_weight(trim(part.substr(equals + 1))).value_or(0);
        }
      });
      if (word.empty()) return;
      if (word == "*") {
        any = weight;
      } else if (const auto coding = coding_of(word)) {
        (*coding == Coding::kGzip      ? gzip
         : *coding == Coding::kDeflate ? deflate
                                       : identity) = weight;
      }
    });
  }

  // Identity is acceptable unless refused, but only wins when it is weighed higher.
  Coding best() const {
    const int otherwise = std::max(any, 0);
    const int of_gzip = gzip >= 0 ? gzip : otherwise;
    const int of_deflate = deflate >= 0 ? deflate : otherwise;
    const int of_identity = identity >= 0 ? identity : 0;
    const int best = std::max(of_gzip, of_deflate);
    if (best == 0 || of_identity > best) return Coding::kIdentity;
    return of_gzip >= of_deflate ? Coding::kGzip : Coding::kDeflate;
  }
};

uInt as_uint(size_t size) {
  return static_cast<uInt>(std::min<size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

std::string_view name_of(Coding coding) {
  switch (coding) {
    case Coding::kGzip:
      return "gzip";
    case Coding::kDeflate:
      return "deflate";
    case Coding::kIdentity:
      break;
  }
  return "identity";
}

std::optional<Coding> content_coding(const HttpHead& request) {
  Coding found = Coding::kIdentity;
  bool known = true;
  for (const auto& [name, value] : request.headers) {
    if (name != "content-encoding") continue;
    split(value, ',', [&](std::string_view word) {
      const auto coding = coding_of(word);
      if (coding == Coding::kIdentity) return;
      known = known && coding.has_value() && found == Coding::kIdentity;
      if (known) found = *coding;
    });
  }
  return known ? std::optional<Coding>(found) : std::nullopt;
}

Coding acceptable_coding(const HttpHead& request) {
  Weights weights;
  for (const auto& [name, value] : request.headers) {
    if (name == "accept-encoding") weights.read(value);
  }
  return weights.best();
}

Coding acceptable_coding(std::string_view accept_encoding) {
  Weights weights;
  weights.read(accept_encoding);
  return weights.best();
}

Decoder::Decoder(Coding coding) : coding_(coding), stream_(std::make_unique<z_stream>()) {}

Decoder::~Decoder() {
  if (started_) inflateEnd(stream_.get());
}

Decoder::Outcome Decoder::broken(std::string_view reason) {
  error_ =
      base::str_cat("the body is not ", coding_ == Coding::kGzip ? "valid gzip" : "valid deflate",
                    " data: ", reason);
  return Outcome::kBroken;
}

bool Decoder::start(int window_bits) {
  *stream_ = {};
  started_ = inflateInit2(stream_.get(), window_bits) == Z_OK;
  if (!started_) broken("there is no memory to decode it");
  return started_;
}

// Looks at the first two bytes to tell a zlib stream from raw deflate. False when more are needed,
// or on an error.
bool Decoder::begin(std::string_view& input) {
  if (coding_ == Coding::kGzip) return start(kGzipWindowBits);
  while (first_bytes_.size() < 2 && !input.empty()) {
    first_bytes_ += input.front();
    input.remove_prefix(1);
  }
  if (first_bytes_.size() < 2) return false;
  const auto high = static_cast<unsigned char>(first_bytes_[0]);
  const auto low = static_cast<unsigned char>(first_bytes_[1]);
  const bool is_zlib = (high & 0x0F) == 8 && (high * 256 + low) % 31 == 0;
  return start(is_zlib ? kWindowBits : -kWindowBits);
}

Decoder::Outcome Decoder::decode(std::string_view& input, std::span<std::byte>& room) {
  if (!error_.empty()) return Outcome::kBroken;
  if (!started_ && !begin(input)) return error_.empty() ? Outcome::kNeedsInput : Outcome::kBroken;
  for (;;) {
    std::string_view first = first_bytes_;
    std::string_view& source = first.empty() ? input : first;
    if (complete_) {
      if (source.empty()) return Outcome::kNeedsInput;
      // A gzip file may be several, one after the other.
      if (coding_ != Coding::kGzip) return broken("something follows its end");
      if (inflateReset2(stream_.get(), kGzipWindowBits) != Z_OK) return broken("it can't go on");
      complete_ = false;
    }
    stream_->next_in = reinterpret_cast<const Bytef*>(source.data());
    stream_->avail_in = as_uint(source.size());
    stream_->next_out = reinterpret_cast<Bytef*>(room.data());
    stream_->avail_out = as_uint(room.size());
    const uInt given = stream_->avail_in;
    const uInt offered = stream_->avail_out;
    const int result = inflate(stream_.get(), Z_NO_FLUSH);
    source.remove_prefix(given - stream_->avail_in);
    room = room.subspan(offered - stream_->avail_out);
    first_bytes_.assign(first);
    if (result == Z_STREAM_END) {
      complete_ = true;
      continue;
    }
    if (result == Z_NEED_DICT) return broken("it needs a dictionary");
    if (result != Z_OK && result != Z_BUF_ERROR) {
      return broken(stream_->msg != nullptr ? stream_->msg : "it is damaged");
    }
    // With the room full there may be more to come even when the input is used up.
    if (room.empty()) return Outcome::kNeedsRoom;
    if (input.empty() && first_bytes_.empty()) return Outcome::kNeedsInput;
  }
}

Encoder::Encoder(Coding coding) : stream_(std::make_unique<z_stream>()) {
  *stream_ = {};
  ok_ = deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED,
                     coding == Coding::kGzip ? kGzipWindowBits : kWindowBits, MAX_MEM_LEVEL - 1,
                     Z_DEFAULT_STRATEGY) == Z_OK;
}

Encoder::~Encoder() {
  if (ok_) deflateEnd(stream_.get());
}

bool Encoder::encode(std::string_view input, std::string& out) {
  while (!input.empty()) {
    const std::string_view piece = input.substr(0, std::numeric_limits<uInt>::max());
    if (!run(piece, Z_NO_FLUSH, out)) return false;
    input.remove_prefix(piece.size());
  }
  return true;
}

bool Encoder::finish(std::string& out) { return run({}, Z_FINISH, out); }

bool Encoder::run(std::string_view input, int flush, std::string& out) {
  if (!ok_) return false;
  stream_->next_in = reinterpret_cast<const Bytef*>(input.data());
  stream_->avail_in = static_cast<uInt>(input.size());
  for (;;) {
    const size_t used = out.size();
    out.resize(used + kOutputStep);
    stream_->next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream_->avail_out = kOutputStep;
    const int result = deflate(stream_.get(), flush);
    out.resize(used + kOutputStep - stream_->avail_out);
    if (result == Z_STREAM_END) return true;
    if (result != Z_OK && result != Z_BUF_ERROR) return false;
    if (flush != Z_FINISH && stream_->avail_in == 0 && stream_->avail_out > 0) return true;
  }
}

}  // namespace supernova::protocol::http
