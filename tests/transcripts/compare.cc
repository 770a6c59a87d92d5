#include "compare.h"

#include <google/protobuf/util/field_comparator.h>
#include <google/protobuf/util/message_differencer.h>

#include <boost/json.hpp>
#include <sstream>

namespace supernova::transcripts {
namespace {

namespace json = boost::json;

// The inside of "{{...}}"; "" when `text` is no wildcard.
std::string_view wildcard(std::string_view text) {
  if (!text.starts_with("{{") || !text.ends_with("}}")) return "";
  return text.substr(2, text.size() - 4);
}

std::string differs(std::string_view where, std::string_view expected, std::string_view actual) {
  return base::str_cat(where.empty() ? "the whole" : where, ": expected ", expected, ", got ",
                       actual);
}

std::string_view as_view(const json::string& text) { return {text.data(), text.size()}; }

std::string compare_value(const std::string& where, const json::value& expected,
                          const json::value& actual);

std::string compare_wildcard(const std::string& where, std::string_view card,
                             const json::value& actual) {
  const bool matches = (card == "any") || (card == "number" && actual.is_number()) ||
                       (card == "string" && actual.is_string()) ||
                       (card == "array" && actual.is_array()) ||
                       (card == "object" && actual.is_object());
  if (matches) return "";
  if (card.starts_with("contains: ") && actual.is_string() &&
      as_view(actual.get_string()).find(card.substr(10)) != std::string_view::npos) {
    return "";
  }
  return differs(where, base::str_cat("{{", card, "}}"), json::serialize(actual));
}

std::string compare_object(const std::string& where, const json::object& expected,
                           const json::object& actual) {
  constexpr const char* kMore = "{{more}}";
  for (const auto& member : expected) {
    if (member.key() == kMore) continue;
    const std::string key(member.key().data(), member.key().size());
    const auto at = actual.find(member.key());
    if (at == actual.end()) return base::str_cat(where, "/", key, ": missing");
    const std::string inner = compare_value(where + "/" + key, member.value(), at->value());
    if (!inner.empty()) return inner;
  }
  for (const auto& member : actual) {
    if (!expected.contains(member.key()) && !expected.contains(kMore)) {
      return base::str_cat(where, "/", std::string(member.key()), ": not expected");
    }
  }
  return "";
}

// ["{{some}}", a, b]: holds a and b, in any order, among others.
std::string compare_some(const std::string& where, const json::array& expected,
                         const json::array& actual) {
  for (size_t i = 1; i < expected.size(); ++i) {
    bool found = false;
    for (const json::value& element : actual) {
      found = found || compare_value(where, expected[i], element).empty();
    }
    if (!found) {
      return differs(where, json::serialize(expected[i]) + " among the elements",
                     json::serialize(actual));
    }
  }
  return "";
}

std::string compare_array(const std::string& where, const json::array& expected,
                          const json::array& actual) {
  if (!expected.empty() && expected[0].is_string() &&
      as_view(expected[0].get_string()) == "{{some}}") {
    return compare_some(where, expected, actual);
  }
  if (expected.size() != actual.size()) {
    return differs(where, base::str_cat(expected.size(), " elements"), json::serialize(actual));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string inner = compare_value(base::str_cat(where, "/", i), expected[i], actual[i]);
    if (!inner.empty()) return inner;
  }
  return "";
}

std::string compare_value(const std::string& where, const json::value& expected,
                          const json::value& actual) {
  if (expected.is_string()) {
    const std::string_view card = wildcard(as_view(expected.get_string()));
    if (!card.empty()) return compare_wildcard(where, card, actual);
  }
  if (expected.is_object() && actual.is_object()) {
    return compare_object(where, expected.get_object(), actual.get_object());
  }
  if (expected.is_array() && actual.is_array()) {
    return compare_array(where, expected.get_array(), actual.get_array());
  }
  const bool same =
      expected.is_number() && actual.is_number()
          ? expected == actual || expected.to_number<double>() == actual.to_number<double>()
          : expected == actual;
  return same ? "" : differs(where, json::serialize(expected), json::serialize(actual));
}

std::string compare_headers(const Part& expected, const RestReply& actual) {
  for (const auto& [name, value] : expected.headers) {
    const std::string* const found = actual.header(name);
    if (value == "{{none}}") {
      if (found != nullptr) return differs("header " + name, "none", *found);
      continue;
    }
    if (found == nullptr) return differs("header " + name, value, "none");
    if (std::string inner = compare_text(value, *found); !inner.empty()) {
      return base::str_cat("header ", name, ": ", inner);
    }
  }
  return "";
}

std::string compare_piece(const Piece& piece, std::string_view actual) {
  switch (piece.kind) {
    case Piece::Kind::kJson:
      return compare_json(piece.content, actual);
    case Piece::Kind::kText:
      return compare_text(piece.content, actual);
    case Piece::Kind::kBytes:
      return piece.content == actual ? "" : differs("bytes", hex(piece.content), hex(actual));
  }
  return "";
}

std::string compare_body(const std::vector<Piece>& pieces, const RestReply& actual) {
  if (pieces.empty()) return actual.body.empty() ? "" : differs("body", "nothing", actual.body);
  if (pieces.size() == 1) return compare_piece(pieces[0], actual.body);
  // JSON and then bytes: the header says where one ends.
  size_t length = 0;
  const std::string* const header = actual.header("inference-header-content-length");
  if (header == nullptr || !base::parse_whole(*header, length) || length > actual.body.size()) {
    return "body: no usable Inference-Header-Content-Length";
  }
  std::string bytes;
  for (size_t i = 1; i < pieces.size(); ++i) bytes += pieces[i].content;
  const std::string_view body = actual.body;
  std::string inner = compare_piece(pieces[0], body.substr(0, length));
  if (!inner.empty()) return inner;
  return compare_piece({Piece::Kind::kBytes, bytes}, body.substr(length));
}

}  // namespace

std::string compare_text(std::string_view expected, std::string_view actual) {
  const std::string_view card = wildcard(expected);
  if (card == "any") return "";
  if (card.starts_with("contains: ")) {
    const bool found = actual.find(card.substr(10)) != std::string_view::npos;
    return found ? "" : differs("text", expected, actual);
  }
  return expected == actual ? "" : differs("text", expected, actual);
}

std::string compare_json(std::string_view expected, std::string_view actual) {
  json::error_code error;
  const auto parse = [&](std::string_view text) {
    return json::parse(json::string_view(text.data(), text.size()), error);
  };
  const json::value wanted = parse(expected);
  if (error) return base::str_cat("the transcript's JSON is broken: ", error.message());
  const json::value got = parse(actual);
  if (error) return base::str_cat("no JSON (", error.message(), "): ", actual);
  return compare_value("", wanted, got);
}

std::string compare_rest(const Part& expected, const RestReply& actual) {
  if (expected.words[0] != std::to_string(actual.status)) {
    return differs("status", expected.words[0], std::to_string(actual.status));
  }
  if (std::string inner = compare_headers(expected, actual); !inner.empty()) return inner;
  const auto pieces = parse_body(expected.body);
  if (!pieces.ok()) return std::string(base::message(pieces.status()));
  return compare_body(*pieces, actual);
}

std::string compare_messages(const Part& options, const google::protobuf::Message& expected,
                             const google::protobuf::Message& actual) {
  using google::protobuf::util::MessageDifferencer;
  // Fields by their dotted names, without places in lists.
  class Ignore final : public MessageDifferencer::IgnoreCriteria {
   public:
    explicit Ignore(std::string_view paths) {
      std::istringstream in{std::string(paths)};
      for (std::string path; in >> path;) paths_.push_back(path);
    }
    bool IsIgnored(const google::protobuf::Message&, const google::protobuf::Message&,
                   const google::protobuf::FieldDescriptor* field,
                   const std::vector<MessageDifferencer::SpecificField>& parents) override {
      std::string path;
      for (const auto& parent : parents) {
        if (parent.field != nullptr) path += parent.field->name() + ".";
      }
      path += field->name();
      return std::find(paths_.begin(), paths_.end(), path) != paths_.end();
    }

   private:
    std::vector<std::string> paths_;
  };
  MessageDifferencer differencer;
  std::string report;
  differencer.ReportDifferencesToString(&report);
  differencer.AddIgnoreCriteria(new Ignore(options.header("ignore")));
  if (options.header("partial") == "yes") differencer.set_scope(MessageDifferencer::PARTIAL);
  return differencer.Compare(expected, actual) ? "" : report;
}

}  // namespace supernova::transcripts
