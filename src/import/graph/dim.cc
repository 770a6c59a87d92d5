#include "import/graph/dim.h"

#include <algorithm>
#include <atomic>

#include "base/text.h"

namespace supernova::import::graph {
namespace {

// Expressions beyond this are as good as unknown, and hostile files can't make them grow.
constexpr size_t kMaxTerms = 32;
constexpr size_t kMaxAtomLength = 256;
// First character of symbols that nobody named.
constexpr char kAnonymous = '?';

std::string anonymous_name() {
  static std::atomic<uint64_t> next = 0;
  return base::str_cat(kAnonymous, next.fetch_add(1, std::memory_order_relaxed));
}

int64_t floor_quotient(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

}  // namespace

Dim::Dim(int64_t size) {
  if (size != 0) terms_[{}] = size;
}

Dim Dim::atom(std::string text) {
  if (text.size() > kMaxAtomLength) text = anonymous_name();
  Dim out;
  out.terms_[{std::move(text)}] = 1;
  return out;
}

Dim Dim::symbol(std::string name) { return atom(name.empty() ? anonymous_name() : name); }

std::optional<int64_t> Dim::constant() const {
  if (terms_.empty()) return 0;
  if (terms_.size() == 1 && terms_.begin()->first.empty()) return terms_.begin()->second;
  return std::nullopt;
}

std::string_view Dim::symbol_name() const {
  if (terms_.size() != 1) return "";
  const auto& [monomial, coefficient] = *terms_.begin();
  if (coefficient != 1 || monomial.size() != 1) return "";
  const std::string& name = monomial.front();
  return name.front() == kAnonymous || name.find('(') != std::string::npos ? std::string_view()
                                                                           : std::string_view(name);
}

std::string Dim::to_string() const {
  if (terms_.empty()) return "0";
  std::string out;
  // The constant is the first term of the map and is written last.
  for (auto at = terms_.rbegin(); at != terms_.rend(); ++at) {
    const auto& [monomial, coefficient] = *at;
    if (coefficient > 0 && !out.empty()) out += '+';
    if (monomial.empty()) {
      base::append_text(out, coefficient);
      continue;
    }
    if (coefficient == -1) {
      out += '-';
    } else if (coefficient != 1) {
      out += base::str_cat(coefficient, "*");
    }
    out += base::str_join(monomial, "*");
  }
  return out;
}

void Dim::add_term(const Monomial& monomial, int64_t coefficient) {
  auto [at, added] = terms_.try_emplace(monomial, coefficient);
  if (!added && __builtin_add_overflow(at->second, coefficient, &at->second)) {
    *this = symbol("");
    return;
  }
  if (at->second == 0) terms_.erase(at);
  if (terms_.size() > kMaxTerms) *this = symbol("");
}

Dim& Dim::operator+=(const Dim& other) {
  const std::map<Monomial, int64_t> terms = other.terms_;  // other may be *this
  for (const auto& [monomial, coefficient] : terms) add_term(monomial, coefficient);
  return *this;
}

Dim& Dim::operator-=(const Dim& other) { return *this += Dim(-1) * other; }

Dim operator*(const Dim& a, const Dim& b) {
  Dim out;
  for (const auto& [left, x] : a.terms_) {
    for (const auto& [right, y] : b.terms_) {
      int64_t coefficient = 0;
      if (__builtin_mul_overflow(x, y, &coefficient)) return Dim::symbol("");
      Dim::Monomial monomial;
      std::merge(left.begin(), left.end(), right.begin(), right.end(),
                 std::back_inserter(monomial));
      if (monomial.size() > kMaxTerms) return Dim::symbol("");
      out.add_term(monomial, coefficient);
    }
  }
  return out;
}

std::optional<Dim> exact_div(const Dim& a, const Dim& b) {
  if (b.terms_.empty()) return std::nullopt;
  if (a.terms_.empty()) return Dim(0);
  if (a == b) return Dim(1);
  if (b.terms_.size() != 1) return std::nullopt;
  const auto& [divisor, by] = *b.terms_.begin();
  Dim out;
  for (const auto& [monomial, coefficient] : a.terms_) {
    if (by == -1 ? coefficient == INT64_MIN : coefficient % by != 0) return std::nullopt;
    if (!std::includes(monomial.begin(), monomial.end(), divisor.begin(), divisor.end())) {
      return std::nullopt;
    }
    Dim::Monomial rest;
    std::set_difference(monomial.begin(), monomial.end(), divisor.begin(), divisor.end(),
                        std::back_inserter(rest));
    out.add_term(rest, coefficient / by);
  }
  return out;
}

Dim floor_div(const Dim& a, const Dim& b) {
  const auto x = a.constant();
  const auto y = b.constant();
  if (y == 0 || (x == INT64_MIN && y == -1)) return Dim::symbol("");
  if (x && y) return floor_quotient(*x, *y);
  if (auto exact = exact_div(a, b)) return *exact;
  if (y && *y > 0) {
    // What is a multiple of the divisor leaves the quotient: floor((2n+1)/2) = n + floor(1/2).
    Dim outside;
    Dim inside;
    for (const auto& [monomial, coefficient] : a.terms_) {
      const int64_t quotient = floor_quotient(coefficient, *y);
      if (coefficient % *y == 0) {
        outside.add_term(monomial, quotient);
      } else if (monomial.empty()) {
        outside.add_term(monomial, quotient);
        inside.add_term(monomial, coefficient - quotient * *y);
      } else {
        inside.add_term(monomial, coefficient);
      }
    }
    if (const auto rest = inside.constant()) return outside + Dim(floor_quotient(*rest, *y));
    return outside + Dim::atom(base::str_cat("floor((", inside.to_string(), ")/", *y, ")"));
  }
  return Dim::atom(base::str_cat("floor((", a.to_string(), ")/(", b.to_string(), "))"));
}

Dim ceil_div(const Dim& a, const Dim& b) { return Dim(-1) * floor_div(Dim(-1) * a, b); }

Dim max(const Dim& a, const Dim& b) {
  if (const auto difference = (a - b).constant()) return *difference >= 0 ? a : b;
  std::string x = a.to_string();
  std::string y = b.to_string();
  if (y < x) std::swap(x, y);
  return Dim::atom(base::str_cat("max(", x, ",", y, ")"));
}

Dim min(const Dim& a, const Dim& b) {
  if (const auto difference = (a - b).constant()) return *difference <= 0 ? a : b;
  std::string x = a.to_string();
  std::string y = b.to_string();
  if (y < x) std::swap(x, y);
  return Dim::atom(base::str_cat("min(", x, ",", y, ")"));
}

std::string to_string(const Dims& dims) {
  std::vector<std::string> parts;
  parts.reserve(dims.size());
  for (const Dim& dim : dims) parts.push_back(dim.to_string());
  return base::str_cat("[", base::str_join(parts, ","), "]");
}

std::optional<std::vector<int64_t>> constant_dims(const Dims& dims) {
  std::vector<int64_t> out;
  out.reserve(dims.size());
  for (const Dim& dim : dims) {
    const auto size = dim.constant();
    if (!size) return std::nullopt;
    out.push_back(*size);
  }
  return out;
}

Dims to_dims(const std::vector<int64_t>& sizes) { return {sizes.begin(), sizes.end()}; }

Dim product(const Dims& dims) {
  Dim out = 1;
  for (const Dim& dim : dims) out = out * dim;
  return out;
}

}  // namespace supernova::import::graph
