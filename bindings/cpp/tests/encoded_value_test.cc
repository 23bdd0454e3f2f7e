// Values of JSON and MsgPack: written, read back, and refused.
#include <aimrt_rpc/value.hpp>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;
using rpc::value_encoding;
using namespace std::string_literals;

namespace {

constexpr value_encoding both[] = {value_encoding::json, value_encoding::msgpack};

template <class T>
void expect_round_trip(const T &what) {
  for (const value_encoding encoding : both) {
    const rpc::value made = rpc::encode_value(what, encoding);
    auto back = made.view().get<T>();
    ASSERT_TRUE(back) << made.bytes() << ": " << back.error().to_string();
    EXPECT_TRUE(*back == what) << made.bytes();
    // Every shorter piece is no value of that type, or a smaller number.
    for (std::size_t size = 0; size < made.bytes().size() && made.bytes().size() < 1000; ++size) {
      auto cut = rpc::value_view(std::string_view(made.bytes()).substr(0, size), encoding).get<T>();
      EXPECT_FALSE(cut && *cut == what && !std::is_floating_point_v<T>) << made.bytes() << " cut to " << size;
    }
  }
}

TEST(EncodedValue, WhatIsWritten_IsReadBack) {
  expect_round_trip(true);
  expect_round_trip(false);
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{-32}, std::int64_t{-33}, std::int64_t{127},
                                    std::int64_t{128}, std::int64_t{-129}, std::int64_t{65536}, std::int64_t{-40000}, std::int64_t{1} << 40,
                                    -(std::int64_t{1} << 40), std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
    expect_round_trip(number);
  expect_round_trip(std::numeric_limits<std::uint64_t>::max());
  expect_round_trip(static_cast<std::int8_t>(-128));
  expect_round_trip(2.5);
  expect_round_trip(-1e300);
  expect_round_trip(0.1);
  expect_round_trip(5e-324);
  expect_round_trip(3.0);
  expect_round_trip(std::numeric_limits<double>::infinity());
  expect_round_trip(1.5F);
  expect_round_trip(""s);
  expect_round_trip("quote \" backslash \\ tab \t nul \0 end \xc3\xa4\xf0\x9f\x98\x80"s);
  expect_round_trip(std::string(40, 'x'));
  expect_round_trip(std::string(70000, 'y'));
  expect_round_trip(std::vector<int>{});
  expect_round_trip(std::vector<int>{1, -2, 3});
  expect_round_trip(std::vector<bool>{true, false});
  expect_round_trip(std::vector<int>(70000, 7));
  expect_round_trip(std::vector<std::vector<std::string>>{{}, {"a", "b]"}, {"c,"}});
  expect_round_trip(std::map<std::string, std::vector<double>>{{"a", {1, 2.5}}, {"b}", {}}});
  expect_round_trip(std::unordered_map<std::string, int>{{"one", 1}});
  expect_round_trip(std::map<std::string, std::map<std::string, int>>{{"x", {{"y", 1}}}, {"z", {}}});
  expect_round_trip(std::optional<int>{});
  expect_round_trip(std::optional<int>{4});
  expect_round_trip(std::vector<std::optional<std::string>>{{"a"}, std::nullopt});
  expect_round_trip(std::tuple<int, std::string, std::vector<bool>>{1, "two", {true}});
  expect_round_trip(std::pair<std::string, double>{"x", 0.5});
}

TEST(EncodedValue, Json_LooksAsPythonWritesIt) {
  const auto json = [](const auto &what) { return rpc::encode_value(what, value_encoding::json).bytes(); };
  EXPECT_EQ(json(std::vector<int>{1, 2}), "[1, 2]");
  EXPECT_EQ(json(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}}), R"({"a": [1], "b": []})");
  EXPECT_EQ(json(3.0), "3.0");
  EXPECT_EQ(json(1e300), "1e+300");
  EXPECT_EQ(json(std::nan("")), "NaN");
  EXPECT_EQ(json("a\n\"b\""), R"("a\u000a\"b\"")");
  EXPECT_EQ(json(nullptr), "null");
  EXPECT_EQ(json(std::tuple<>()), "[]");
}

TEST(EncodedValue, Json_IsReadInEveryForm) {
  const auto view = [](std::string_view text) { return rpc::value_view(text, value_encoding::json); };
  EXPECT_EQ(*view(R"("\u00e4\ud83d\ude00\ud800x\/\b")").get<std::string>(), "\xc3\xa4\xf0\x9f\x98\x80\xef\xbf\xbdx/\b");
  EXPECT_EQ(*view(" [ 1 , 2\n,3 ] ").get<std::vector<int>>(), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(*view("7").get<double>(), 7.0);
  EXPECT_EQ(*view("1e400").get<double>(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(*view("-Infinity").get<double>(), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(*view("NaN").get<double>()));
  const auto map = view(R"({"a": {"b": [10, {"c": "d"}]}, "e": null})");
  EXPECT_EQ(map.kind(), rpc::value_kind::map);
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(*map.find("a").find("b").at(1).find("c").get<std::string>(), "d");
  EXPECT_EQ(map.find("a").find("b").at(2).kind(), rpc::value_kind::none);
  EXPECT_EQ(map.find("x").kind(), rpc::value_kind::none);
  EXPECT_TRUE(map.find("e").is_null());
  EXPECT_EQ(map.get<rpc::value>()->bytes(), map.bytes());
}

TEST(EncodedValue, WrongTypes_AreRefusedWithWhatIsThere) {
  for (const value_encoding encoding : both) {
    const auto refused = [&](const auto &what, auto wanted) {
      using T = decltype(wanted);
      const rpc::value made = rpc::encode_value(what, encoding);
      return !made.view().template get<T>();
    };
    EXPECT_TRUE(refused("1", int{}));
    EXPECT_TRUE(refused(1, std::string{}));
    EXPECT_TRUE(refused(1, bool{}));
    EXPECT_TRUE(refused(1.0, int{}));
    EXPECT_TRUE(refused(-1, unsigned{}));
    EXPECT_TRUE(refused(300, std::uint8_t{}));
    EXPECT_TRUE(refused(-129, std::int8_t{}));
    EXPECT_TRUE(refused(std::numeric_limits<std::uint64_t>::max(), std::int64_t{}));
    EXPECT_TRUE(refused(std::vector<int>{1}, std::map<std::string, int>{}));
    EXPECT_TRUE(refused(std::map<std::string, int>{}, std::vector<int>{}));
    EXPECT_TRUE(refused(std::tuple<int, std::string>{1, "x"}, std::vector<int>{}));
    EXPECT_TRUE(refused(std::tuple<int, int>{1, 2}, std::tuple<int>{}));
    EXPECT_TRUE(refused(std::tuple<int>{1}, std::tuple<int, int>{}));
    EXPECT_TRUE(refused(nullptr, int{}));
  }
  auto why = rpc::value_view(R"("text")", value_encoding::json).get<int>();
  ASSERT_FALSE(why);
  EXPECT_EQ(why.error().message(), "string \"text\" cannot be read as the type that is wanted");
}

TEST(EncodedValue, HostileBytes_AreNoValue) {
  const std::string deep(1000, '[');
  for (const std::string &text : {deep, deep + std::string(1000, ']'), "[1 2]"s, "{\"a\" 1}"s, "\"\\"s, "\"\\u12\""s, "\"\\x\""s, "[1,"s, "{1: 2}"s, "nul"s,
                                  "-"s, ""s, "99999999999999999999"s}) {
    const rpc::value_view view(text, value_encoding::json);
    EXPECT_FALSE(view.get<std::vector<std::vector<int>>>()) << text.substr(0, 20);
    EXPECT_FALSE((view.get<std::map<std::string, int>>())) << text.substr(0, 20);
    EXPECT_FALSE(view.get<std::string>()) << text.substr(0, 20);
    EXPECT_FALSE(view.get<int>() && text != "-") << text.substr(0, 20);
  }
  for (const std::string &bytes : {"\xdf\xff\xff\xff\xff"s, "\xdd\xff\xff\xff\xff\x01"s, "\xdb\xff\xff\xff\xff"s, "\xc1"s, "\x92\x01"s, std::string(1000, '\x91'),
                                   "\x81\x01\x02"s, "\xcf\x01"s, "\xc9\xff"s, "\xd4"s}) {
    const rpc::value_view view(bytes, value_encoding::msgpack);
    EXPECT_FALSE(view.get<std::vector<rpc::value>>());
    EXPECT_FALSE((view.get<std::map<std::string, int>>()));
    EXPECT_FALSE(view.get<std::string>());
    EXPECT_FALSE(view.get<std::int64_t>());
  }
}

TEST(EncodedValue, Writer_MixesTypesAndRefusesTheOtherEncoding) {
  rpc::value_writer to(value_encoding::json);
  to.map(3);
  to.string("list");
  to.array(2);
  to.array(0);
  to.write(rpc::value("{\"k\": 1}", value_encoding::json));
  to.string("empty");
  to.map(0);
  to.string("last");
  to.null();
  EXPECT_TRUE(to.good());
  EXPECT_EQ(to.bytes(), R"({"list": [[], {"k": 1}], "empty": {}, "last": null})");
  rpc::value_writer other(value_encoding::msgpack);
  other.write(rpc::value("1", value_encoding::json));
  EXPECT_FALSE(other.good());
}

}  // namespace
