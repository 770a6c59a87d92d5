#include "service/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/access_exposure.h"
#include "service/access_grants.h"
#include "service/access_restricted.h"
#include "service/header_forward.h"

namespace supernova::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Caller caller(std::string name, std::vector<Grant> grants) {
  return {std::move(name), std::make_shared<const Grants>(std::move(grants))};
}

std::string text(const base::Status& status) { return std::string(base::message(status)); }

TEST(AccessTest, EveryApiHasANameThatLeadsBack) {
  for (size_t i = 0; i < kApiCount; ++i) {
    const Api api = static_cast<Api>(i);
    EXPECT_EQ(api_from_name(api_name(api)), api);
  }
  EXPECT_EQ(api_name(Api::kSharedMemory), "shared-memory");
  EXPECT_EQ(api_name(Api::kMetrics), "metrics");
  EXPECT_FALSE(api_from_name("unknown").has_value());
  EXPECT_FALSE(api_from_name("Health").has_value());
}

TEST(AccessTest, ADefaultCallerMayDoEverything) {
  EXPECT_TRUE(check_right({}, Api::kModelRepository, "m").ok());
  EXPECT_TRUE(may_see({}, Api::kStatistics, "m"));
}

TEST(AccessTest, GrantsAreByApiAndModel) {
  const Caller ci = caller(
      "ci", {{Grant::bit(Api::kInference), {"speech", "ocr-*"}}, {Grant::bit(Api::kLogging), {}}});
  EXPECT_TRUE(check_right(ci, Api::kInference, "speech").ok());
  EXPECT_TRUE(check_right(ci, Api::kInference, "ocr-").ok());
  EXPECT_TRUE(check_right(ci, Api::kInference, "ocr-large").ok());
  EXPECT_TRUE(check_right(ci, Api::kInference, "").ok());
  EXPECT_TRUE(check_right(ci, Api::kLogging, "").ok());
  EXPECT_FALSE(check_right(ci, Api::kLogging, "speech").ok());
  EXPECT_FALSE(check_right(ci, Api::kInference, "speech2").ok());
  EXPECT_FALSE(check_right(ci, Api::kInference, "ocr").ok());
  EXPECT_FALSE(check_right(ci, Api::kMetadata, "speech").ok());
  EXPECT_FALSE(check_right(ci, Api::kMetadata, "").ok());
  EXPECT_TRUE(may_see(ci, Api::kInference, "speech"));
  EXPECT_FALSE(may_see(ci, Api::kStatistics, "speech"));
}

TEST(AccessTest, ARefusalNamesPrincipalApiAndModel) {
  const base::Status denied = check_right(caller("ci", {}), Api::kModelConfig, "speech");
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(text(denied),
              AllOf(HasSubstr("'ci'"), HasSubstr("'model-config'"), HasSubstr("'speech'")));
  const base::Status nobody = check_right(caller("", {}), Api::kModelConfig, "speech");
  EXPECT_EQ(nobody.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(text(nobody), HasSubstr("'model-config'"));
}

class RestrictedTest : public ::testing::Test {
 protected:
  base::Status check(const RestrictedApis& apis, Api api) {
    Credentials credentials;
    credentials.header = [this](std::string_view name) -> const std::string* {
      const auto at = headers_.find(name);
      return at == headers_.end() ? nullptr : &at->second;
    };
    return apis.check(api, credentials);
  }
  static base::Result<RestrictedApis> parse(Transport transport, std::vector<std::string> groups) {
    return RestrictedApis::parse(transport, groups);
  }

  std::map<std::string, std::string, std::less<>> headers_;
};

TEST_F(RestrictedTest, WantsTheHeaderOfItsGroup) {
  const auto apis =
      parse(Transport::kHttp, {"inference,health:Infer-Key=a=b:c", "model-repository:admin=x"});
  ASSERT_TRUE(apis.ok()) << apis.status();
  EXPECT_FALSE(apis->empty());
  EXPECT_TRUE(check(*apis, Api::kMetadata).ok());
  const base::Status missing = check(*apis, Api::kInference);
  EXPECT_EQ(missing.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(text(missing), "This API is restricted, expecting header 'Infer-Key'");
  headers_["infer-key"] = "a=b:";
  EXPECT_FALSE(check(*apis, Api::kInference).ok());
  headers_["infer-key"] = "a=b:d";
  EXPECT_FALSE(check(*apis, Api::kInference).ok());
  headers_["infer-key"] = "a=b:c";
  EXPECT_TRUE(check(*apis, Api::kInference).ok());
  EXPECT_TRUE(check(*apis, Api::kHealth).ok());
  EXPECT_FALSE(check(*apis, Api::kModelRepository).ok());
}

TEST_F(RestrictedTest, RefusesWithoutALookUp) {
  const auto apis = parse(Transport::kHttp, {"inference:k=v"});
  ASSERT_TRUE(apis.ok());
  EXPECT_FALSE(apis->check(Api::kInference, {}).ok());
}

TEST_F(RestrictedTest, OverGrpcTheKeyHasAPrefix) {
  const auto apis = parse(Transport::kGrpc, {"inference:Key=v"});
  ASSERT_TRUE(apis.ok());
  EXPECT_THAT(text(check(*apis, Api::kInference)), HasSubstr("'triton-grpc-protocol-Key'"));
  headers_["key"] = "v";
  EXPECT_FALSE(check(*apis, Api::kInference).ok());
  headers_["triton-grpc-protocol-key"] = "v";
  EXPECT_TRUE(check(*apis, Api::kInference).ok());
}

TEST_F(RestrictedTest, RefusesWhatIsMalformedAndKeepsTheSecret) {
  const std::pair<const char*, const char*> cases[] = {
      {"inference", "no ':'"},
      {"inference:key", "no '='"},
      {"inference:=s3cret", "cannot be a header's name"},
      {"inference:a b=s3cret", "cannot be a header's name"},
      {"inference:key=", "is empty"},
      {"inference:key= s3cret", "cannot be a header's value"},
      {"inference:key=s3cret\n", "cannot be a header's value"},
      {"inferences:key=s3cret", "unknown API 'inferences'"},
      {"inference,:key=s3cret", "unknown API ''"},
      {":key=s3cret", "unknown API ''"},
      {"inference,inference:key=s3cret", "'inference' is restricted twice"},
  };
  for (const auto& [group, problem] : cases) {
    const auto apis = parse(Transport::kHttp, {group});
    ASSERT_FALSE(apis.ok()) << group;
    EXPECT_THAT(text(apis.status()), AllOf(HasSubstr("--http-restricted-api"), HasSubstr(problem),
                                           Not(HasSubstr("s3cret"))));
  }
  const auto twice = parse(Transport::kGrpc, {"health:a=b", "metadata,health:c=d"});
  EXPECT_THAT(text(twice.status()), AllOf(HasSubstr("--grpc-restricted-protocol"),
                                          HasSubstr("'health' is restricted twice")));
}

TEST(HeaderForwardTest, AddsWhatMatchesAsAWhole) {
  const auto forward = HeaderForward::compile("MY_header.*", "--http-header-forward-pattern");
  ASSERT_TRUE(forward.ok()) << forward.status();
  EXPECT_TRUE(forward->enabled());
  tensor::Parameters parameters{{"my_header_2", int64_t{3}}};
  EXPECT_TRUE(forward->forward("my_header_1", "a \"b\"", parameters).ok());
  EXPECT_TRUE(forward->forward("my_header_2", "c", parameters).ok());
  EXPECT_TRUE(forward->forward("not_my_header", "d", parameters).ok());
  EXPECT_EQ(parameters,
            (tensor::Parameters{{"my_header_1", std::string("a \"b\"")}, {"my_header_2", "c"}}));
}

TEST(HeaderForwardTest, CaseCountsWhenAskedFor) {
  const auto forward = HeaderForward::compile("(?-i)MY_.*", "--f");
  ASSERT_TRUE(forward.ok());
  tensor::Parameters parameters;
  EXPECT_TRUE(forward->forward("my_header", "a", parameters).ok());
  EXPECT_TRUE(parameters.empty());
  EXPECT_TRUE(forward->forward("MY_header", "a", parameters).ok());
  EXPECT_TRUE(parameters.contains("MY_header"));
}

TEST(HeaderForwardTest, RefusesReservedNamesAndBadPatterns) {
  const auto forward = HeaderForward::compile(".*", "--f");
  ASSERT_TRUE(forward.ok());
  tensor::Parameters parameters;
  for (const std::string_view name : {"timeout", "Priority", "sequence_id", "triton_x"}) {
    const base::Status status = forward->forward(name, "1", parameters);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(text(status), HasSubstr("reserved for Triton usage"));
  }
  EXPECT_TRUE(parameters.empty());
  const auto bad = HeaderForward::compile("my_(", "--grpc-header-forward-pattern");
  EXPECT_THAT(text(bad.status()),
              AllOf(HasSubstr("--grpc-header-forward-pattern"), HasSubstr("'my_('")));
  const auto none = HeaderForward::compile("", "--f");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->enabled());
  EXPECT_TRUE(none->forward("timeout", "1", parameters).ok());
}

TEST(ExposureTest, KnowsLoopback) {
  for (const char* address : {"127.0.0.1", "127.255.0.9", "::1", "[::1]", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(is_loopback(address)) << address;
  }
  for (const char* address : {"0.0.0.0", "::", "[::]", "128.0.0.1", "10.0.0.1", "::ffff:10.0.0.1",
                              "fe80::1", "localhost", "", "127.0.0.1.example.org", "0127.0.0.1"}) {
    EXPECT_FALSE(is_loopback(address)) << address;
  }
}

TEST(ExposureTest, APublicAddressNeedsTlsAndIdentityOrAWord) {
  const std::vector<std::string> none;
  for (const char* host : {"0.0.0.0", "::", "[::]", "192.168.1.2", "::ffff:10.0.0.1",
                           "fe80::1%eth0", "nowhere.example"}) {
    EXPECT_FALSE(check_exposure(host, none, false, false, false).ok()) << host;
    EXPECT_FALSE(check_exposure(host, none, true, false, false).ok()) << host;
    EXPECT_FALSE(check_exposure(host, none, false, true, false).ok()) << host;
    EXPECT_TRUE(check_exposure(host, none, true, true, false).ok()) << host;
    EXPECT_TRUE(check_exposure(host, none, false, false, true).ok()) << host;
  }
  EXPECT_TRUE(check_exposure("127.0.0.1", none, false, false, false).ok());
  EXPECT_TRUE(check_exposure("[::1]", none, false, false, false).ok());
}

TEST(ExposureTest, ANameIsWhatAllItsAddressesAre) {
  const std::vector<std::string> local{"127.0.0.1", "::1"};
  const std::vector<std::string> mixed{"127.0.0.1", "10.0.0.1"};
  EXPECT_TRUE(check_exposure("localhost", local, false, false, false).ok());
  EXPECT_FALSE(check_exposure("myhost", mixed, false, false, false).ok());
  // What a name resolves to says nothing about a numeric address.
  EXPECT_FALSE(check_exposure("0.0.0.0", local, false, false, false).ok());
}

TEST(ExposureTest, TheRefusalTellsTheRemedies) {
  const base::Status status = check_exposure("0.0.0.0", {}, false, false, false);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(text(status), AllOf(HasSubstr("'0.0.0.0'"), HasSubstr("127.0.0.1"),
                                  HasSubstr("--access-file"), HasSubstr("--allow-insecure")));
}

}  // namespace
}  // namespace supernova::service
