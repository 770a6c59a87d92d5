// Taking parts by position.
#include <limits>
#include <numeric>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

namespace strided_slot {
enum StridedSlice { kBegin, kEnd, kEllipsis, kNewAxis, kShrink, kOffset };
}  // namespace strided_slot

std::vector<int64_t> all_axes(size_t rank) {
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

void slice(Context& c) {
  const auto rank = c.rank(0);
  if (!rank) return;
  const auto begin = c.ints(1);
  const auto size = c.ints(2);
  const std::vector<int64_t> axes = all_axes(*rank);
  if (begin && size) {
    if (!c.require(begin->size() == *rank && size->size() == *rank, "begin and size don't fit")) {
      return;
    }
    std::vector<int64_t> ends;
    for (size_t i = 0; i < *rank; ++i) {
      ends.push_back((*size)[i] < 0 ? kEnd : (*begin)[i] + (*size)[i]);
    }
    c.move_elements(0, 1, [&](const auto& x) { return c.b.slice(x[0], *begin, ends, axes); });
    return;
  }
  Value* starts = c.int64s(1);
  Value* sizes = c.int64s(2);
  Value* rest = c.b.op("Less", {sizes, c.b.scalar(int64_t{0})});
  Value* ends = c.b.op("Where", {rest, c.b.scalar(kEnd), c.b.add(starts, sizes)});
  c.move_elements(0, 1, [&](const auto& x) {
    Value* y = c.b.op("Slice", {x[0], starts, ends, c.b.ints(axes)});
    if (!size || y->poison) return y;
    // The sizes are known where only the place is not.
    Dims dims = y->dims();
    for (size_t i = 0; i < dims.size() && i < size->size(); ++i) {
      if ((*size)[i] >= 0) dims[i] = Dim((*size)[i]);
    }
    c.b.state_shape(y, dims);
    return y;
  });
}

// What one entry of a strided slice does to one axis.
struct Cut {
  size_t entry;  // position in begin, end and strides
  int64_t axis;  // of the input
  bool whole_begin;
  bool whole_end;
  int64_t stride;
};

struct Plan {
  std::vector<Cut> cuts;
  // Axis, entry: one index that drops the axis; nothing = the first one, as the mask of begin says.
  std::vector<std::pair<int64_t, std::optional<size_t>>> picks;
  std::vector<int64_t> new_axes;  // in the result
};

bool has_bit(int32_t mask, size_t i) { return i < 31 && ((mask >> i) & 1) != 0; }

// How the entries of begin, end and strides fall on the axes; masks as in tf.strided_slice.
std::optional<Plan> plan_cuts(Context& c, size_t entries, size_t rank,
                              const std::vector<int64_t>& strides) {
  const Table& o = c.options();
  const int32_t ellipsis = o.integer(strided_slot::kEllipsis);
  const int32_t fresh = o.integer(strided_slot::kNewAxis) & ~ellipsis;
  size_t used = 0;
  for (size_t i = 0; i < entries; ++i) {
    if (!has_bit(ellipsis, i) && !has_bit(fresh, i)) ++used;
  }
  if (!c.require(used <= rank, "more entries than axes")) return std::nullopt;
  Plan plan;
  int64_t axis = 0;
  int64_t result_axis = 0;
  bool skipped = false;
  for (size_t i = 0; i < entries; ++i) {
    if (has_bit(ellipsis, i)) {
      if (!c.require(!skipped, "two ellipses")) return std::nullopt;
      skipped = true;
      axis += static_cast<int64_t>(rank - used);
      result_axis += static_cast<int64_t>(rank - used);
    } else if (has_bit(fresh, i)) {
      plan.new_axes.push_back(result_axis++);
    } else if (has_bit(o.integer(strided_slot::kShrink), i)) {
      const bool first = has_bit(o.integer(strided_slot::kBegin), i);
      plan.picks.emplace_back(axis++, first ? std::nullopt : std::optional<size_t>(i));
    } else {
      if (!c.require(strides[i] != 0, "a stride is zero")) return std::nullopt;
      plan.cuts.push_back({i, axis++, has_bit(o.integer(strided_slot::kBegin), i),
                           has_bit(o.integer(strided_slot::kEnd), i), strides[i]});
      ++result_axis;
    }
  }
  return plan;
}

// One bound of each cut: numbers where the input is known, else taken from it in the graph.
class Bounds {
 public:
  Bounds(Context& c, size_t input) : c_(c), known_(c.ints(input)) {
    if (!known_) elements_ = c.int64s(input);
  }
  void add(size_t entry, bool whole, int64_t at_whole) {
    const bool number = whole || known_;
    Value* value = number ? c_.b.ints({whole ? at_whole : (*known_)[entry]})
                          : c_.b.gather(elements_, c_.b.ints({static_cast<int64_t>(entry)}), 0);
    parts_.push_back(value);
  }
  Value* joined() { return c_.b.concat(parts_, 0); }
  Value* scalar(size_t entry) {
    if (known_) return c_.b.scalar((*known_)[entry]);
    return c_.b.gather(elements_, c_.b.scalar(static_cast<int64_t>(entry)), 0);
  }

 private:
  Context& c_;
  std::optional<std::vector<int64_t>> known_;
  Value* elements_ = nullptr;
  std::vector<Value*> parts_;
};

void strided_slice(Context& c) {
  const auto rank = c.rank(0);
  const auto strides = c.need_ints(3, "strides");
  if (!rank || !strides) return;
  for (const size_t input : {1, 2}) {
    const auto known = c.ints(input);
    if (!c.require(!known || known->size() == strides->size(), "begin, end and strides differ")) {
      return;
    }
  }
  const auto plan = plan_cuts(c, strides->size(), *rank, *strides);
  if (!plan) return;
  Bounds begin(c, 1);
  Bounds end(c, 2);
  std::vector<int64_t> axes;
  std::vector<int64_t> steps;
  for (const Cut& cut : plan->cuts) {
    const bool up = cut.stride > 0;
    begin.add(cut.entry, cut.whole_begin, up ? 0 : kEnd);
    end.add(cut.entry, cut.whole_end, up ? kEnd : -kEnd);
    axes.push_back(cut.axis);
    steps.push_back(cut.stride);
  }
  const bool relative = c.options().flag(strided_slot::kOffset);
  c.move_elements(0, 1, [&](const std::vector<Value*>& input) {
    Value* x = input[0];
    if (!axes.empty()) {
      Value* starts = begin.joined();
      Value* ends = relative ? c.b.add(starts, end.joined()) : end.joined();
      x = c.b.op("Slice", {x, starts, ends, c.b.ints(axes), c.b.ints(steps)});
    }
    for (auto pick = plan->picks.rbegin(); pick != plan->picks.rend(); ++pick) {
      Value* index = pick->second ? begin.scalar(*pick->second) : c.b.scalar(int64_t{0});
      x = c.b.gather(x, index, pick->first);
    }
    return c.b.unsqueeze(x, plan->new_axes);
  });
}

void reverse(Context& c) {
  const auto stated = c.need_ints(1, "axes");
  const auto rank = c.rank(0);
  if (!stated || !rank) return;
  std::vector<int64_t> axes;
  for (const int64_t at : *stated) {
    const auto axis = c.axis(at, *rank);
    if (!axis) return;
    axes.push_back(*axis);
  }
  const size_t n = axes.size();
  c.move_elements(0, 1, [&](const std::vector<Value*>& x) {
    if (n == 0) return x[0];
    return c.b.slice(x[0], std::vector<int64_t>(n, -1), std::vector<int64_t>(n, -kEnd), axes,
                     std::vector<int64_t>(n, -1));
  });
}

// The operator wants time and batch as the first two axes.
void reverse_sequence(Context& c) {
  const auto rank = c.rank(0);
  if (!rank) return;
  const auto time = c.axis(c.options().integer(0), *rank);
  const auto batch = c.axis(c.options().integer(1), *rank);
  if (!time || !batch || !c.require(*time != *batch, "one axis is both time and batch")) return;
  std::vector<int64_t> there{*batch, *time};
  for (int64_t i = 0; i < static_cast<int64_t>(*rank); ++i) {
    if (i != *time && i != *batch) there.push_back(i);
  }
  std::vector<int64_t> back(*rank);
  for (size_t i = 0; i < *rank; ++i) back[there[i]] = static_cast<int64_t>(i);
  c.move_elements(0, 1, [&](const auto& x) {
    Value* y = c.b.op("ReverseSequence", {c.b.transpose(x[0], there), c.int64s(1)},
                      {{"batch_axis", int64_t{0}}, {"time_axis", int64_t{1}}});
    return c.b.transpose(y, back);
  });
}

}  // namespace

void register_slice(OpTable& table) {
  table.add("SLICE", slice);
  table.add("STRIDED_SLICE", strided_slice, "strides that are not constant");
  table.add("REVERSE_V2", reverse, "axes that are not constant");
  table.add("REVERSE_SEQUENCE", reverse_sequence);
}

}  // namespace supernova::import::tflite
