#include "engine/misspelt_option.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "engine/option_names.h"

namespace supernova::engine {
namespace {

constexpr std::string_view kWatched[] = {kDevice, kStrictDevice, kIsolation, kIntraOpThreads,
                                         "execution_provider"};
constexpr size_t kLongest = 64;

// How many letters are to be replaced, added or left out to make one of the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view misspelt_option(std::string_view option) {
  if (option.size() > kLongest) return "";
  if (std::find(std::begin(kWatched), std::end(kWatched), option) != std::end(kWatched)) return "";
  for (const std::string_view watched : kWatched) {
    const size_t most = watched.size() > 8 ? 2 : 1;
    if (distance(option, watched) <= most) return watched;
  }
  return "";
}

}  // namespace supernova::engine
