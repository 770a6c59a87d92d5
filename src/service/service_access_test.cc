// What a caller with few rights gets from the service's doors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/access_grants.h"
#include "service/service.h"
#include "support/fake_engine.h"
#include "support/fake_manager.h"

namespace supernova::service {
namespace {

using ::testing::ElementsAre;

const sn_model_info* no_tensors(sn_model*) {
  static const sn_signature signature = {sizeof(signature), "", nullptr, 0, nullptr, 0};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

int32_t no_run(sn_instance*, const sn_run*, sn_error*) { return SN_INTERNAL; }

const sn_engine_api* entry(uint32_t) {
  static const sn_engine_api api = testing_support::fake_engine_table(&no_tensors, &no_run);
  return &api;
}

class ServiceAccessTest : public ::testing::Test {
 protected:
  ServiceAccessTest() {
    for (const char* name : {"ocr", "speech", "speech-large"}) {
      const base::Status loaded = fake_.load(name);
      EXPECT_TRUE(loaded.ok()) << loaded;
    }
  }
  static Caller caller(uint32_t apis, std::vector<std::string> models) {
    return {"ci", std::make_shared<const Grants>(std::vector<Grant>{{apis, std::move(models)}})};
  }

  testing_support::FakeManager fake_{&entry};
  Service service_{fake_.models()};
};

TEST_F(ServiceAccessTest, TheIndexHoldsWhatTheCallerMayManage) {
  const auto names = [&](const Caller& who) {
    std::vector<std::string> out;
    const auto index = service_.repository_index(who, false);
    EXPECT_TRUE(index.ok()) << index.status();
    if (!index.ok()) return out;
    for (const auto& entry : *index) out.push_back(entry.name);
    return out;
  };
  EXPECT_THAT(names({}), ElementsAre("ocr", "speech", "speech-large"));
  const uint32_t repository = Grant::bit(Api::kModelRepository);
  EXPECT_THAT(names(caller(repository, {"*"})), ElementsAre("ocr", "speech", "speech-large"));
  EXPECT_THAT(names(caller(repository, {"speech*"})), ElementsAre("speech", "speech-large"));
  EXPECT_THAT(names(caller(repository, {"other"})), ElementsAre());
  const auto denied = service_.repository_index(caller(Grant::bit(Api::kInference), {"*"}), false);
  EXPECT_EQ(denied.status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(ServiceAccessTest, StatisticsOfAllAreOfThoseTheCallerMaySee) {
  const Caller ci = caller(Grant::bit(Api::kStatistics), {"speech"});
  const auto all = service_.statistics(ci, "", "");
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().name, "speech");
  EXPECT_EQ(service_.statistics({}, "", "")->size(), 3U);
  EXPECT_EQ(service_.statistics(ci, "ocr", "").status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(ServiceAccessTest, ADeniedModelIsNotToldFromAMissingOne) {
  const Caller ci = caller(Grant::bit(Api::kMetadata), {"speech"});
  EXPECT_TRUE(service_.model_metadata(ci, "speech", "").ok());
  for (const char* name : {"ocr", "nowhere"}) {
    EXPECT_EQ(service_.model_metadata(ci, name, "").status().code(),
              absl::StatusCode::kPermissionDenied);
  }
  tensor::Request request;
  request.model_name = "speech";
  base::Status refused;
  service_.infer(ci, std::move(request),
                 [&](base::Result<tensor::Response> result) { refused = result.status(); });
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace supernova::service
