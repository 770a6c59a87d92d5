#include "protocol/oip/placement_json.h"

#include <algorithm>
#include <span>

#include "protocol/oip/json_text.h"

namespace supernova::protocol::oip {
namespace {

// Figures that are not known are left out.
void append_count_if(std::string& out, std::string_view key, uint64_t value) {
  if (value != 0) append_count(out, key, value);
}

void append_sessions(std::string& out, const service::ModelPlacement& placement,
                     const model::InstanceReport& instance) {
  const std::span all(placement.sessions);
  const auto own = all.subspan(std::min(instance.first_session, all.size()));
  append_objects(out, "sessions", own.first(std::min(instance.sessions, own.size())),
                 [&](const auto& session) {
                   append_text(out, "state", session.lost.empty() ? "ready" : "lost");
                   append_text_if(out, "reason", session.lost);
                   append_count(out, "runs", session.runs);
                 });
}

void append_nodes(std::string& out, const model::PlacementReport& report,
                  const model::InstanceReport& instance) {
  append_objects(out, "operators", model::operators_of(report, instance),
                 [&](const model::OperatorPlace& place) {
                   append_text(out, "op", place.op);
                   append_text(out, "where", place.where);
                   append_count(out, "count", place.count);
                   append_text_if(out, "reason", place.reason);
                 });
  append_objects(out, "fallback", instance.fallback, [&](const engine::NodePlacement& node) {
    append_text(out, "node", node.node);
    append_text(out, "op", node.op);
    append_text(out, "where", node.where);
    append_text(out, "reason", node.reason);
  });
}

void append_instance(std::string& out, const service::ModelPlacement& placement,
                     const model::InstanceReport& instance) {
  append_text_if(out, "group", instance.group);
  append_text(out, "device", instance.device);
  append_text_if(out, "device_model", instance.device_model);
  append_count_if(out, "count", instance.limit);
  const bool never_opened = instance.sessions == 0 && !placement.report->failure.empty();
  append_raw(out, "whole", instance.partly || never_opened ? "false" : "true");
  // What an instance says of itself counts before what was expected.
  const auto known = [&](uint64_t engine::Verdict::*figure) {
    return instance.opened.*figure != 0 ? instance.opened.*figure : instance.expected.*figure;
  };
  append_count_if(out, "expected_latency_ns", known(&engine::Verdict::expected_latency_ns));
  append_count_if(out, "first_run_ns", instance.first_run_ns);
  append_count_if(out, "host_memory_bytes", known(&engine::Verdict::host_memory_bytes));
  append_count_if(out, "device_memory_bytes", known(&engine::Verdict::device_memory_bytes));
  append_nodes(out, *placement.report, instance);
  append_sessions(out, placement, instance);
}

}  // namespace

std::string placement_json(const service::ModelPlacement& placement) {
  const model::PlacementReport& report = *placement.report;
  std::string out = "{";
  append_text(out, "name", placement.name);
  append_text(out, "version", placement.version);
  append_text(out, "state", placement.state);
  append_text_if(out, "failure", report.failure);
  append_text_if(out, "engine", report.engine);
  append_text_if(out, "engine_version", report.engine_version);
  append_text_if(out, "isolation", report.isolation);
  append_text_if(out, "format", report.format);
  append_text_if(out, "source_format", report.source_format);
  append_text_if(out, "reason", report.reason);
  append_objects(out, "instances", report.instances, [&](const model::InstanceReport& instance) {
    append_instance(out, placement, instance);
  });
  append_count(out, "fallback_nodes", model::fallback_nodes(report));
  append_count(out, "moved_requests", placement.moved);
  append_objects(out, "rejected", report.rejected, [&](const engine::Rejection& rejection) {
    append_text_if(out, "engine", rejection.engine);
    append_text_if(out, "format", rejection.format);
    append_text_if(out, "device", rejection.device);
    append_text(out, "reason", rejection.reason);
  });
  append_strings(out, "warnings", report.warnings);
  return out + "}";
}

}  // namespace supernova::protocol::oip
