#include "protocol/kserve_v1/routes.h"

#include "protocol/kserve_v1/predict.h"
#include "protocol/oip/call.h"
#include "protocol/oip/handlers.h"
#include "protocol/oip/json_text.h"

namespace supernova::protocol::kserve_v1 {
namespace {

using oip::Call;
using oip::error_reply;
using oip::json_reply;
using service::Api;

// Here an unknown model is 404.
http::HttpResponse model_error(const base::Status& status, const std::string& model) {
  if (status.code() != absl::StatusCode::kInvalidArgument) return error_reply(status);
  return error_reply(
      absl::NotFoundError(base::str_cat("Model with name ", model, " does not exist.")));
}

void alive(Call call) { call.respond(json_reply(R"({"status":"alive"})")); }

void model_ready(Call call) {
  const base::Status status = call.service.model_ready(call.caller, call.path.model, "");
  // Known, and no version of it ready.
  if (absl::IsNotFound(status)) {
    return call.respond(error_reply(absl::UnavailableError(
        base::str_cat("Model with name ", call.path.model, " is not ready."))));
  }
  if (!status.ok()) return call.respond(model_error(status, call.path.model));
  std::string json = "{";
  oip::append_text(json, "name", call.path.model);
  oip::append_raw(json, "ready", "true}");
  call.respond(json_reply(std::move(json)));
}

void predict(Call call) {
  auto version = oip::version_for_inference(call);
  if (!version.ok()) return call.respond(model_error(version.status(), call.path.model));
  auto decoded = decode_predict_request(call.request.body.view(), call.path.model,
                                        (*version)->config().inputs);
  if (!decoded.ok()) return call.respond(error_reply(decoded.status()));
  const base::Status completed = oip::complete_request(call, decoded->request);
  if (!completed.ok()) return call.respond(error_reply(completed));
  call.service.infer(
      call.caller, *std::move(version), std::move(decoded->request),
      [by_row = decoded->by_row,
       respond = std::move(call.respond)](const base::Result<tensor::Response>& result) mutable {
        if (!result.ok()) return respond(error_reply(result.status()));
        auto json = encode_predict_response(*result, by_row);
        respond(json.ok() ? json_reply(*std::move(json)) : error_reply(json.status()));
      });
}

void explain(Call call) {
  const auto version = oip::version_for_inference(call);
  call.respond(version.ok() ? error_reply(absl::UnimplementedError(
                                  base::str_cat("model '", call.path.model,
                                                "' has no explainer; ':explain' is "
                                                "not served")))
                            : model_error(version.status(), call.path.model));
}

constexpr oip::Body kNoBody;

constexpr oip::Route kRoutes[] = {
    {"GET", "/", Api::kHealth, "alive", "Whether the server runs", kNoBody, "V1Alive", &alive},
    {"GET", "/v1/models", Api::kMetadata, "v1Models", "Names of the models that are ready", kNoBody,
     "ModelList", &oip::model_list},
    {"POST",
     "/v1/models/{model}:predict",
     Api::kInference,
     "v1Predict",
     "Inference by rows or by tensor",
     {"V1PredictRequest", true},
     "V1PredictResponse",
     &predict},
    {"POST",
     "/v1/models/{model}:explain",
     Api::kInference,
     "v1Explain",
     "Not supported: answers 501",
     {"V1PredictRequest"},
     "V1PredictResponse",
     &explain},
    {"GET", "/v1/models/{model}", Api::kHealth, "v1ModelReady", "Whether the model takes requests",
     kNoBody, "V1ModelReady", &model_ready},
};

constexpr std::string_view kSchemas = R"json(
"V1Alive": {"type": "object", "required": ["status"], "properties": {"status": {"const": "alive"}}},
"V1ModelReady": {"type": "object", "required": ["name", "ready"],
  "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}}},
"V1PredictRequest": {"oneOf": [
  {"type": "object", "required": ["instances"], "not": {"required": ["inputs"]},
    "properties": {"instances": {"type": "array"}}},
  {"type": "object", "required": ["inputs"], "not": {"required": ["instances"]}}]},
"V1PredictResponse": {"type": "object", "required": ["predictions"]}
)json";

}  // namespace

oip::RouteTable routes() { return {kRoutes, kSchemas}; }

}  // namespace supernova::protocol::kserve_v1
