// The dialect from request to reply, over a real service.
#include "protocol/kserve_v1/routes.h"

#include <gmock/gmock.h>

#include "support/rest_server.h"

namespace supernova::protocol::kserve_v1 {
namespace {

using testing::HasSubstr;

class KserveV1Test : public testing_support::RestServer {
 protected:
  KserveV1Test() : RestServer({{routes()}, {}}) {}
};

TEST_F(KserveV1Test, TellsWhatIsThere) {
  EXPECT_EQ(call("GET", "/").body, R"({"status":"alive"})");
  EXPECT_EQ(call("GET", "/v1/models").body, R"({"models":["a b"]})");
  EXPECT_EQ(call("GET", "/v1/models/a%20b").body, R"({"name":"a b","ready":true})");
  const auto unknown = call("GET", "/v1/models/other");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, R"({"error":"Model with name other does not exist."})");
}

TEST_F(KserveV1Test, Predicts) {
  const auto response =
      call("POST", "/v1/models/a%20b:predict", R"({"instances":[{"INPUT0":[1,2],"TEXT":"x"}]})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"predictions":[{"OUTPUT0":[1,2],"TEXT_OUT":"x"}]})");
  EXPECT_EQ(response.content_type, "application/json");
  const auto columns =
      call("POST", "/v1/models/a%20b:predict", R"({"inputs":{"INPUT0":[[1],[2]],"TEXT":["x"]}})");
  EXPECT_EQ(columns.body, R"({"predictions":{"OUTPUT0":[[1],[2]],"TEXT_OUT":["x"]}})");
}

TEST_F(KserveV1Test, Refuses) {
  EXPECT_EQ(call("POST", "/v1/models/a%20b:predict", "{}").status, 400);
  const auto shape = call("POST", "/v1/models/a%20b:predict", R"({"instances":[1]})");
  EXPECT_EQ(shape.status, 400);
  EXPECT_THAT(shape.body, HasSubstr("unexpected shape for input 'INPUT0'"));
  EXPECT_EQ(call("POST", "/v1/models/other:predict", R"({"instances":[1]})").status, 404);
  EXPECT_EQ(call("POST", "/v1/models/a%20b:explain", R"({"instances":[1]})").status, 501);
  EXPECT_EQ(call("POST", "/v1/models/other:explain", R"({"instances":[1]})").status, 404);
  EXPECT_EQ(call("GET", "/v1/models/a%20b:predict").status, 405);
  EXPECT_EQ(call("POST", "/v1/models/:predict").status, 405);  // a model of that name, to be read
  EXPECT_EQ(call("POST", "/v1/models/a%20b").status, 405);
}

TEST_F(KserveV1Test, StandsInTheDocument) {
  const std::string document = call("GET", "/openapi.json").body;
  EXPECT_THAT(document, HasSubstr(R"("/v1/models/{model}:predict":{"post":)"));
  EXPECT_THAT(document, HasSubstr(R"("V1PredictRequest": )"));
}

}  // namespace
}  // namespace supernova::protocol::kserve_v1
