// One gRPC call of the inference service, by the names of its definition.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "transcript.h"

namespace supernova::transcripts {

// Plays the request (words: "GRPC", method; headers: metadata; body: messages in text form,
// separated by lines of ---) and compares the reply (words: code). "" or what differs.
std::string play_grpc(const std::shared_ptr<grpc::Channel>& channel, const Exchange& exchange);

}  // namespace supernova::transcripts
