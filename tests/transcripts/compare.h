// Whether a reply is what a transcript expects; the wildcards are in README.md. Each function
// returns "" or what differs. Pure.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "rest_call.h"
#include "transcript.h"

namespace supernova::transcripts {

std::string compare_text(std::string_view expected, std::string_view actual);
std::string compare_json(std::string_view expected, std::string_view actual);
std::string compare_rest(const Part& expected, const RestReply& actual);
// `options` are the expected reply's headers: `ignore: path path` and `partial: yes`.
std::string compare_messages(const Part& options, const google::protobuf::Message& expected,
                             const google::protobuf::Message& actual);

}  // namespace supernova::transcripts
