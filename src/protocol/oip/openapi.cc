#include "protocol/oip/openapi.h"

#include "protocol/oip/json_text.h"

namespace supernova::protocol::oip {
namespace {

// Errors that any route may answer with; the listener has some of its own.
struct Error {
  std::string_view status;
  std::string_view meaning;
};
constexpr Error kErrors[] = {
    {"400", "The request is wrong, or the model unknown or not ready"},
    {"401", "Credentials are missing, wrong or expired"},
    {"403", "The caller has no right to do this"},
    {"404", "There is no such thing"},
    {"408", "The request took too long to arrive"},
    {"413", "The request is too large"},
    {"417", "An expectation other than 100-continue"},
    {"431", "The header is too large"},
    {"500", "The server or the model failed"},
    {"501", "Not supported"},
    {"503", "Not ready, the queue is full, or the request's time is over"},
};

std::string reference(std::string_view schema) {
  std::string out = "{";
  append_text(out, "$ref", base::str_cat("#/components/schemas/", schema));
  return out + "}";
}

void append_media(std::string& out, std::string_view type, std::string_view schema_json) {
  append_raw(out, type, "{");
  append_raw(out, "schema", schema_json);
  out += '}';
}

// Whether a body has the binary form beside the JSON one.
bool has_binary_form(std::string_view schema) {
  return schema == "InferRequest" || schema == "InferResponse";
}

constexpr std::string_view kBinary = R"({"type":"string","format":"binary"})";

void append_content(std::string& out, std::string_view schema) {
  append_raw(out, "content", "{");
  if (schema == "EventStream") {
    append_media(out, "text/event-stream", reference(schema));
  } else {
    append_media(out, "application/json", reference(schema));
  }
  if (has_binary_form(schema)) append_media(out, "application/octet-stream", kBinary);
  // Health: a client that does not accept JSON gets no body.
  if (schema == "Live" || schema == "Ready" || schema == "ModelReady") {
    append_media(out, "text/plain", R"({"type":"string"})");
  }
  out += '}';
}

// The parameters that the path names.
void append_parameters(std::string& out, const Router::Path& path, const Route& route) {
  append_raw(out, "parameters", "[");
  for (size_t open = path.text.find('{'); open != std::string::npos;
       open = path.text.find('{', open + 1)) {
    const std::string name = path.text.substr(open + 1, path.text.find('}', open) - open - 1);
    append_comma(out);
    out += '{';
    append_text(out, "name", name);
    append_text(out, "in", "path");
    append_raw(out, "required", "true");
    append_raw(out, "schema", reference(name == "version" ? "Version" : "Name"));
    out += '}';
  }
  if (has_binary_form(route.body.schema)) {
    append_comma(out);
    out += R"({"name":"Inference-Header-Content-Length","in":"header","required":false,)"
           R"("description":"Bytes of JSON in front of the binary tensors; 0 = the body is the )"
           R"(one input","schema":{"type":"integer","format":"int64","minimum":0}})";
  }
  if (route.reply == "Devices") {
    append_comma(out);
    out += R"({"name":"Cache-Control","in":"header","required":false,)"
           R"("description":"no-cache: look again, where otherwise a look of the last seconds )"
           R"(counts","schema":{"type":"string"}})";
  }
  out += ']';
}

void append_responses(std::string& out, std::string_view reply) {
  append_raw(out, "responses", "{");
  append_raw(out, "200", "{");
  append_text(out, "description", "Done");
  if (!reply.empty()) append_content(out, reply);
  out += '}';
  for (const Error& error : kErrors) {
    // Health answers 400 with its own body.
    const bool own = error.status == "400" && (reply == "Live" || reply == "Ready");
    append_raw(out, error.status, "{");
    append_text(out, "$ref",
                base::str_cat("#/components/responses/", own ? std::string(reply) + "Not" : "Error",
                              own ? std::string_view() : error.status));
    out += '}';
  }
  out += '}';
}

std::string operation_id(const Router::Path& path, const Route& route) {
  if (path.variant.empty()) return std::string(route.id);
  return base::str_cat(route.id, "Of", static_cast<char>(path.variant[0] - 'a' + 'A'),
                       path.variant.substr(1));
}

void append_operation(std::string& out, const Router::Path& path, const Route& route) {
  append_raw(out, route.method == "GET" ? "get" : "post", "{");
  append_text(out, "operationId", operation_id(path, route));
  append_text(out, "summary", route.summary);
  append_strings(out, "tags", {std::string(service::api_name(route.api))});
  append_parameters(out, path, route);
  if (!route.body.schema.empty()) {
    append_raw(out, "requestBody", "{");
    append_raw(out, "required", route.body.required ? "true" : "false");
    append_content(out, route.body.schema);
    out += '}';
  }
  append_responses(out, route.reply);
  out += '}';
}

void append_error_response(std::string& out, std::string_view name, std::string_view meaning,
                           std::string_view schema) {
  append_raw(out, name, "{");
  append_text(out, "description", meaning);
  if (name == "Error401") {
    append_raw(out, "headers",
               R"({"WWW-Authenticate":{"schema":{"type":"string"},"required":true}})");
  }
  append_content(out, schema);
  out += '}';
}

void append_components(std::string& out, std::span<const RouteTable> tables) {
  append_raw(out, "components", "{");
  append_raw(out, "schemas", "{");
  for (const RouteTable& table : tables) {
    if (table.schemas.empty()) continue;
    append_comma(out);
    out += table.schemas;
  }
  out += '}';
  append_raw(out, "responses", "{");
  for (const Error& error : kErrors) {
    append_error_response(out, base::str_cat("Error", error.status), error.meaning, "Error");
  }
  append_error_response(out, "LiveNot", "The server is not alive", "Live");
  append_error_response(out, "ReadyNot", "The server is not ready", "Ready");
  out += '}';
  append_raw(out, "securitySchemes",
             R"({"bearer":{"type":"http","scheme":"bearer"},)"
             R"("apiKey":{"type":"apiKey","in":"header","name":"x-api-key"}})");
  out += '}';
}

}  // namespace

std::string openapi_json(const Router& router, std::span<const RouteTable> tables,
                         std::string_view version) {
  std::string out = "{";
  append_text(out, "openapi", "3.1.0");
  append_raw(out, "info", "{");
  append_text(out, "title", "Supernova");
  append_text(out, "version", version);
  append_text(out, "description", "Inference over the Open Inference Protocol v2 and KServe v1");
  out += '}';
  append_raw(out, "security", R"([{},{"bearer":[]},{"apiKey":[]}])");
  append_raw(out, "paths", "{");
  for (const Router::Path& path : router.paths()) {
    append_raw(out, path.text, "{");
    for (const Route* route : path.routes) append_operation(out, path, *route);
    out += '}';
  }
  out += '}';
  append_components(out, tables);
  return out + "}";
}

}  // namespace supernova::protocol::oip
