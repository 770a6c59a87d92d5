#include "service/access_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "service/access_jwt_vectors.h"

namespace supernova::service {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kNobody = absl::StatusCode::kUnauthenticated;
constexpr absl::StatusCode kDenied = absl::StatusCode::kPermissionDenied;

// sha256 of "t0ken-of-ci", which may do `apis` on all models.
std::string with_token(std::string_view apis) {
  return base::str_cat(R"({"principals":[{"name":"ci","tokens":[{"hash":
      "sha256:5f1168d7cb12da67ce8f5f9873c9116c0e3fa3708d0f98d010dcd5ba2d228dbd",
      "expires":"2027-01-31T00:00:00Z"}],"certificates":["ci.example.org"],
      "grants":[{"apis":[)",
                       apis, R"(],"models":["*"]}]}]})");
}

class AccessControlTest : public ::testing::Test {
 protected:
  AccessControlTest() {
    std::string name = (fs::temp_directory_path() / "access_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    options_.access_file = folder_ / "access.json";
    options_.check_every = std::chrono::milliseconds(0);
    options_.now = [this] { return std::chrono::system_clock::time_point(now_.load()); };
  }
  ~AccessControlTest() override { fs::remove_all(folder_); }

  // As editors and orchestrators replace files: another one takes the name.
  void write(const std::string& name, std::string_view content) {
    const fs::path fresh = folder_ / base::str_cat(name, ".", ++written_);
    std::ofstream(fresh, std::ios::binary) << content;
    fs::rename(fresh, folder_ / name);
  }
  void open() {
    auto made = make_access_control(options_);
    ASSERT_TRUE(made.ok()) << made.status();
    access_ = *std::move(made);
    ASSERT_NE(access_, nullptr);
  }
  base::Result<Caller> ask(Api api, std::string_view authorization, std::string_view key = "",
                           std::string_view certificate = "") const {
    Credentials credentials;
    credentials.authorization = authorization;
    credentials.api_key = key;
    credentials.certificate = certificate;
    return access_->admit(Transport::kHttp, api, credentials);
  }
  absl::StatusCode code(Api api, std::string_view authorization) const {
    return ask(api, authorization).status().code();
  }

  fs::path folder_;
  AccessOptions options_;
  std::unique_ptr<AccessControl> access_;
  std::atomic<std::chrono::seconds> now_{std::chrono::seconds(1'750'000'000)};
  int written_ = 0;
};

constexpr const char* kBearer = "Bearer t0ken-of-ci";

TEST_F(AccessControlTest, NothingAskedForIsNoAccessControl) {
  const auto made = make_access_control({});
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(*made, nullptr);
}

TEST_F(AccessControlTest, AdmitsWhoIsKnown) {
  write("access.json", with_token(R"("inference")"));
  open();
  const auto ci = ask(Api::kInference, kBearer);
  ASSERT_TRUE(ci.ok()) << ci.status();
  EXPECT_EQ(ci->name, "ci");
  EXPECT_TRUE(check_right(*ci, Api::kInference, "m").ok());
  EXPECT_TRUE(ask(Api::kInference, "bEARER  t0ken-of-ci").ok());
  EXPECT_TRUE(ask(Api::kInference, "", "", "ci.example.org").ok());
  EXPECT_EQ(code(Api::kMetadata, kBearer), kDenied);
  EXPECT_TRUE(ask(Api::kHealth, "").ok());
  EXPECT_EQ(code(Api::kInference, ""), kNobody);
  // A certificate that nobody listed is no identity, but no offence either.
  EXPECT_TRUE(ask(Api::kHealth, "", "", "other.example.org").ok());
  EXPECT_EQ(ask(Api::kInference, "", "", "other.example.org").status().code(), kNobody);
}

TEST_F(AccessControlTest, WrongCredentialsAreRefusedWhateverElseIsGiven) {
  write("access.json", with_token(R"("inference")"));
  open();
  for (const char* wrong : {"Bearer t0ken-of-c1", "Bearer ", "Bearer", "Basic dTpw", "t0ken-of-ci",
                            "Bearer t0ken-of-ci ", "Bearer a.b.c"}) {
    const auto refused = ask(Api::kHealth, wrong, "", "ci.example.org");
    EXPECT_EQ(refused.status().code(), kNobody) << wrong;
    EXPECT_THAT(std::string(base::message(refused.status())), Not(HasSubstr("t0ken")));
  }
  EXPECT_EQ(ask(Api::kHealth, "", "t0ken-of-ci").status().code(), kNobody);
}

TEST_F(AccessControlTest, ExpiredIsToldAsWrongIs) {
  write("access.json", with_token(R"("inference")"));
  open();
  const base::Status wrong = ask(Api::kInference, "Bearer x").status();
  now_ = std::chrono::seconds(1'801'353'600);  // 2027-01-31
  EXPECT_EQ(ask(Api::kInference, kBearer).status(), wrong);
  now_ = std::chrono::seconds(1'801'353'599);
  EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
}

TEST_F(AccessControlTest, AChangedFileIsReadAgain) {
  write("access.json", with_token(R"("inference")"));
  open();
  const auto before = ask(Api::kInference, kBearer);
  ASSERT_TRUE(before.ok());
  write("access.json", with_token(R"("metadata")"));
  EXPECT_EQ(code(Api::kInference, kBearer), kDenied);
  EXPECT_TRUE(ask(Api::kMetadata, kBearer).ok());
  write("access.json", "{}");
  EXPECT_EQ(code(Api::kMetadata, kBearer), kNobody);
  // Who was admitted before keeps the rights for that request.
  EXPECT_TRUE(check_right(*before, Api::kInference, "m").ok());
}

TEST_F(AccessControlTest, AChangeInPlaceWithinOneClockTickIsSeen) {
  const auto overwrite = [this](std::string_view api) {
    std::ofstream(options_.access_file) << with_token(api);
  };
  overwrite(R"("inference")");
  open();
  for (int i = 0; i < 50; ++i) {
    overwrite(R"("model-cfg")");  // no API: broken, and of the same size
    EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
    overwrite(R"("metadata" )");
    EXPECT_EQ(code(Api::kInference, kBearer), kDenied);
    overwrite(R"("inference")");
    EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
  }
}

TEST_F(AccessControlTest, TheFileIsNotLookedAtForEveryRequest) {
  options_.check_every = std::chrono::hours(1);
  write("access.json", with_token(R"("inference")"));
  open();
  ASSERT_TRUE(ask(Api::kInference, kBearer).ok());
  write("access.json", "{}");
  EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
}

TEST_F(AccessControlTest, ABrokenReplacementKeepsTheOldAndIsLoggedOnce) {
  write("access.json", with_token(R"("inference")"));
  open();
  testing::internal::CaptureStderr();
  write("access.json", "{\"principals\": [");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
  const std::string broken = testing::internal::GetCapturedStderr();
  EXPECT_THAT(broken, AllOf(HasSubstr("access.json"), HasSubstr("stay in force")));
  EXPECT_EQ(broken.find("stay in force"), broken.rfind("stay in force"));
  fs::remove(folder_ / "access.json");
  EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
  fs::create_directory(folder_ / "access.json");
  EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
  fs::remove(folder_ / "access.json");
  // A pipe without a writer would block whoever opens it.
  ASSERT_EQ(mkfifo((folder_ / "access.json").c_str(), 0600), 0);
  EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
  write("access.json", std::string((8U << 20) + 1, ' '));
  EXPECT_TRUE(ask(Api::kInference, kBearer).ok());
  write("access.json", "{}");
  EXPECT_EQ(code(Api::kInference, kBearer), kNobody);
}

TEST_F(AccessControlTest, KeyFilesAreWatchedToo) {
  write("access.json", R"({"issuers": [{"issuer": "https://login.example.org",
      "audience": "supernova", "algorithm": "HS256", "key_file": "secret",
      "grants": [{"apis": ["inference"], "models": ["*"]}]}]})");
  EXPECT_THAT(std::string(base::message(make_access_control(options_).status())),
              AllOf(HasSubstr("access.json"), HasSubstr("issuers[0].key_file 'secret'")));
  write("secret", testing_tokens::kSecret);
  open();
  const std::string token = base::str_cat("Bearer ", testing_tokens::kHs256);
  EXPECT_TRUE(ask(Api::kInference, token).ok());
  write("secret", "another secret, also long enough: 32 bytes");
  EXPECT_EQ(code(Api::kInference, token), kNobody);
  fs::remove(folder_ / "secret");
  EXPECT_EQ(code(Api::kInference, token), kNobody);
  write("secret", testing_tokens::kSecret);
  EXPECT_TRUE(ask(Api::kInference, token).ok());
}

TEST_F(AccessControlTest, RestrictionsStandBesideIdentity) {
  write("access.json", with_token(R"("inference")"));
  options_.http_restricted = {"inference:key=value"};
  open();
  const auto missing = ask(Api::kInference, kBearer);
  EXPECT_EQ(missing.status().code(), kDenied);
  EXPECT_EQ(base::message(missing.status()), "This API is restricted, expecting header 'key'");
  const std::string value = "value";
  Credentials credentials;
  credentials.header = [&](std::string_view name) { return name == "key" ? &value : nullptr; };
  EXPECT_EQ(access_->admit(Transport::kHttp, Api::kInference, credentials).status().code(),
            kNobody);
  credentials.authorization = kBearer;
  EXPECT_TRUE(access_->admit(Transport::kHttp, Api::kInference, credentials).ok());
  credentials.header = nullptr;
  EXPECT_TRUE(access_->admit(Transport::kGrpc, Api::kInference, credentials).ok());
}

TEST_F(AccessControlTest, RestrictionsAloneKnowNobodyAndAllowTheRest) {
  options_.access_file.clear();
  options_.grpc_restricted = {"health:key=value"};
  open();
  const auto anybody = ask(Api::kHealth, "Bearer whatever");
  ASSERT_TRUE(anybody.ok());
  EXPECT_TRUE(check_right(*anybody, Api::kModelRepository, "m").ok());
  EXPECT_EQ(access_->admit(Transport::kGrpc, Api::kHealth, {}).status().code(), kDenied);
  options_.grpc_restricted = {"nonsense"};
  EXPECT_FALSE(make_access_control(options_).ok());
}

TEST_F(AccessControlTest, ReloadsUnderLoad) {
  write("access.json", with_token(R"("inference")"));
  open();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> asked{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        if (!ask(Api::kInference, kBearer).ok()) ++wrong;
        ++asked;
      }
    });
  }
  for (int i = 0; i < 200 || asked < 1000; ++i) {
    write("access.json", i % 2 == 0 ? with_token(R"("inference","metadata")") : "broken");
  }
  stop = true;
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace supernova::service
