// A size along one axis: a number, a symbol ("batch"), or an expression of them. Values; equal
// expressions compare equal after the rules below are applied, so `2 * n + n == 3 * n` holds.
//
// An expression is a polynomial with whole coefficients over atoms; an atom is a symbol or one of
// floor_div, max, min of two expressions that could not be simplified. Division by a constant is
// simplified where every coefficient is a multiple of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace supernova::import::graph {

class Dim {
 public:
  Dim(int64_t size = 0);                              // NOLINT: meant to be implicit
  Dim(int size) : Dim(static_cast<int64_t>(size)) {}  // NOLINT
  // Two symbols of one name are one size.
  static Dim symbol(std::string name);

  bool is_constant() const { return constant().has_value(); }
  std::optional<int64_t> constant() const;
  // The name, where this is a lone symbol; "" otherwise.
  std::string_view symbol_name() const;
  // "3", "batch", "2*batch+1", "floor((n-3)/2)+1"
  std::string to_string() const;

  Dim& operator+=(const Dim& other);
  Dim& operator-=(const Dim& other);
  friend Dim operator+(Dim a, const Dim& b) { return a += b; }
  friend Dim operator-(Dim a, const Dim& b) { return a -= b; }
  friend Dim operator*(const Dim& a, const Dim& b);
  friend bool operator==(const Dim& a, const Dim& b) = default;

  // Quotients round towards minus infinity (floor) and plus infinity (ceil). A division by zero,
  // and arithmetic beyond int64, gives an unknown symbol, never undefined behaviour.
  friend Dim floor_div(const Dim& a, const Dim& b);
  friend Dim ceil_div(const Dim& a, const Dim& b);
  friend Dim max(const Dim& a, const Dim& b);
  friend Dim min(const Dim& a, const Dim& b);
  // a / b where a is known to be a multiple of b as expressions; nothing otherwise.
  friend std::optional<Dim> exact_div(const Dim& a, const Dim& b);

 private:
  using Monomial = std::vector<std::string>;  // sorted atoms, repeated for powers; empty = 1
  void add_term(const Monomial& monomial, int64_t coefficient);
  static Dim atom(std::string text);
  std::map<Monomial, int64_t> terms_;  // no zero coefficients
};

// Found for plain numbers too.
Dim floor_div(const Dim& a, const Dim& b);
Dim ceil_div(const Dim& a, const Dim& b);
Dim max(const Dim& a, const Dim& b);
Dim min(const Dim& a, const Dim& b);
std::optional<Dim> exact_div(const Dim& a, const Dim& b);

using Dims = std::vector<Dim>;

// "[batch,3,224,224]"
std::string to_string(const Dims& dims);
// All numbers; nothing when one is not.
std::optional<std::vector<int64_t>> constant_dims(const Dims& dims);
Dims to_dims(const std::vector<int64_t>& sizes);
// Their product; 1 for none.
Dim product(const Dims& dims);

}  // namespace supernova::import::graph
