// Keys and tokens of an issuer, made once with PyJWT 2.6, so that another implementation says what
// a good token is. All tokens: issuer https://login.example.org, audience "supernova", subject
// "alice", nbf 1700000000, exp 1800000000, realm_access.roles ["reader", "nobody"].
#pragma once

#include <string_view>

namespace supernova::service::testing_tokens {

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kRsaKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAw5iKFyg+tU36cEZWPPpw\n"
    "wTRSPijScAfa7LVjJ7lhnTZtigtdBa5/XY2MTp0iMqR4uGQMtgSzyv4XMCSvzbKB\n"
    "ryjaOLjYwoD8LcCF/1vH4AR7Bn6rQMRuLwyfOzR63wta/MkKHiIh2XJyB8qoUvB3\n"
    "3Mn0vXXfTTVKWZJmD5/v+/mUIsON3skYlsNHfMcaLlTTL6JuD8ZmlRf8xfz0a3yI\n"
    "g6HbMe0ehdgOdnnJ2VS/YB99PBCO/8Cjad6m3pAZJyD4MQJBII8QWemzJeLLTbCq\n"
    "P67G0pbfIeTtsL2EdbGxUh3QHS0xX05obfCMuopu/tBxXqyNQhzIw/8U56in4uad\n"
    "0wIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

constexpr std::string_view kWeakRsaKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDXm81Ph3BY0bro8Me4Qz0YJoxa\n"
    "gEVu8Ppkckt5cDLfZvc4rPsxe6Y1RcVqvuIPVJDY+mqbtMNdq5QvZoHeql0ulRfV\n"
    "Pl5ATN8hkfvuy7pw47rYOJ708gZKxPsY4mXS7ZB/yNbhdFJGwLF8kKxehYw9mCy0\n"
    "6wXXjYo3pjP/1JU0MQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

constexpr std::string_view kEcKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ1iu82MVZeCymla8ivytbl29BFOi\n"
    "dVYYzYNT18t/rtR9cvJo0s3WB/Vz4/Dq27SxQ1HQfP9jtDyX5HZAEVkA8A==\n"
    "-----END PUBLIC KEY-----\n";

constexpr std::string_view kEc384Key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEHJt93aZpBUA0F+3FxKT8JWk3yWIaZ0Q6\n"
    "cooZiOTlj1CRG8GzdLPBaBCLKFvcAGCSkPCj04BfKLdthI7dWZQGZ+lsxXcIS2SU\n"
    "CMz4WsYXGVmyVYNwWPmJM3GDQ4Mrwq1h\n"
    "-----END PUBLIC KEY-----\n";

constexpr std::string_view kRs256 =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiY"
    "XVkIjoic3VwZXJub3ZhIiwic3ViIjoiYWxpY2UiLCJleHAiOjE4MDAwMDAwMDAsIm5iZiI6MTcwMDAwMDAwMCwicmV"
    "hbG1fYWNjZXNzIjp7InJvbGVzIjpbInJlYWRlciIsIm5vYm9keSJdfX0.lBwFcMlYDQ97r11Y7MDb6DqkmViMh2vDO"
    "tjDuU-"
    "O3ltfIfdzHvNs_5qixZRVeZd565d37hB3mciGnHsXCEOfmWheeGXP24nrpUtY81h5448leR_UddwTI855coYoUc7k0"
    "p1S3dvtR_JkMVtBFBN-HWqy3sy8a6XTqQN6zAqgUgqXXbfDE3P0bkimQ3dBZfrbR8aJEnAq4nX4ioMLGqmYgnuQu6f"
    "29CrYslwJvJ0UtMYL8BuDiZj5QPlmlygBMP3gltQwNJPpjTVtFUDh7usLvlqItL6bCJ4DFICwi8OO2xNKzlqVi8Eg7"
    "m9m53nzZwilfabMYWFJx3imPs_LPKxdGg";

constexpr std::string_view kEs256 =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkI"
    "joic3VwZXJub3ZhIiwic3ViIjoiYWxpY2UiLCJleHAiOjE4MDAwMDAwMDAsIm5iZiI6MTcwMDAwMDAwMCwicmVhbG1"
    "fYWNjZXNzIjp7InJvbGVzIjpbInJlYWRlciIsIm5vYm9keSJdfX0.TBIwFB0wHsKUOCtu3y1zO3yVcOmi7VOLjql_e"
    "1rWEgFTc6JuAdsOc5DVnobhA2mBXsSO0IIeQLLg9DbmZzBzuw";

constexpr std::string_view kHs256 =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkI"
    "joic3VwZXJub3ZhIiwic3ViIjoiYWxpY2UiLCJleHAiOjE4MDAwMDAwMDAsIm5iZiI6MTcwMDAwMDAwMCwicmVhbG1"
    "fYWNjZXNzIjp7InJvbGVzIjpbInJlYWRlciIsIm5vYm9keSJdfX0.GC6Wbqkg7SGunGfUuu5MWVkgP3IQNkEizMW85"
    "OwM11E";

constexpr std::string_view kRs512 =
    "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkI"
    "joic3VwZXJub3ZhIiwic3ViIjoiYWxpY2UiLCJleHAiOjE4MDAwMDAwMDAsIm5iZiI6MTcwMDAwMDAwMCwicmVhbG1"
    "fYWNjZXNzIjp7InJvbGVzIjpbInJlYWRlciIsIm5vYm9keSJdfX0.HscJI2Ak2ghu90PMeR0Tgo1y-"
    "C6HbHj6LQn6CyCQZEdx7J_q3sN9gBXG8E1cPHietcThDBpdQrNi6oSFnnN0e63b6KGA9IcpMD8LIcETX5I6U4CxQQO"
    "skLabIjYG_pDFlu1K2y0DJ7vJ0aCDjJlGNgSmV04jcP3KiN2Q1HpWtZKlXNvsMJiLfmw27GTgztYZ4SyWrFwsYaP_I"
    "g5-G8VN0rtYPBmn5e_NLTICWMLeVZrogl3jgv9jpJowniXjxaVJwQy-"
    "yFX_437_VXuAlalBFN4ToYCE99_K59bYTFOTrwhUW87193Nh44FtSBMVDSq8t6SFCLJIvGJmAxC5OVG15g";

constexpr std::string_view kEs384 =
    "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkI"
    "joic3VwZXJub3ZhIiwic3ViIjoiYWxpY2UiLCJleHAiOjE4MDAwMDAwMDAsIm5iZiI6MTcwMDAwMDAwMCwicmVhbG1"
    "fYWNjZXNzIjp7InJvbGVzIjpbInJlYWRlciIsIm5vYm9keSJdfX0.D_ewHkJUVkXME4PTANJNyC-W8aaIMgtZ1FRl-"
    "Og2if6DbQpU_0EXmzXSFa5zFQT4vOpWcqX1Lb8lAa0kIfWEpnKaJCCJmV-"
    "aRo2ML0uXXz0-yzEYM13Te02tVFGfcGs1";

}  // namespace supernova::service::testing_tokens
