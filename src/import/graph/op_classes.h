// Classes of operators that several parts of the folder treat alike; private to it.
#pragma once

#include <set>
#include <string_view>

namespace supernova::import::graph {

// One tensor in, and each element of the result comes of the element in its place.
const std::set<std::string_view>& unary_operators();
// Several tensors, joined element by element with broadcasting.
const std::set<std::string_view>& broadcasting_operators();

}  // namespace supernova::import::graph
