// The metadata of a context: few pairs, searched in order. The first ones need no memory of their own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "aimrt_rpc_compat.h"

namespace aimrt::util::details {

class MetaStore {
 public:
  static constexpr size_t kPairsInside = 12;
  static constexpr size_t kBytesInside = 480;

  MetaStore() = default;
  MetaStore(const MetaStore& other) {
    for (size_t i = 0; i < other.count_; ++i) Set(View(other.pairs_[2 * i]), View(other.pairs_[2 * i + 1]));
  }
  MetaStore& operator=(const MetaStore&) = delete;

  // Ends in NUL, for readers that use it as a C text. Empty when the key is not there.
  std::string_view Get(std::string_view key) const {
    const size_t at = Find(key);
    return at == count_ ? std::string_view("") : View(pairs_[2 * at + 1]);
  }

  void Set(std::string_view key, std::string_view value) {
    const size_t at = Find(key);
    if (at == count_) {
      if (count_ == capacity_) Grow();
      pairs_[2 * count_] = Copy(key, key.size());
      pairs_[2 * count_ + 1] = Copy(value, value.size());
      rooms_[count_++] = static_cast<uint32_t>(value.size());
      return;
    }
    aimrt_string_view_t& old = pairs_[2 * at + 1];
    if (value.size() <= rooms_[at]) {
      char* const text = const_cast<char*>(old.str);  // memory of ours
      std::memmove(text, value.data(), value.size());
      text[value.size()] = '\0';
      old.len = value.size();
    } else {
      const size_t room = std::max<size_t>(value.size(), 2 * size_t{rooms_[at]});
      old = Copy(value, room);
      rooms_[at] = static_cast<uint32_t>(room);
    }
  }

  void Clear() {
    count_ = 0;
    used_ = 0;
    blocks_.clear();
  }

  size_t Count() const { return count_; }
  // key, value, key, value ... until the next change.
  aimrt_string_view_array_t KeyVals() const { return {pairs_, 2 * count_}; }
  aimrt_string_view_array_t Keys() const {
    keys_.clear();
    for (size_t i = 0; i < count_; ++i) keys_.push_back(pairs_[2 * i]);
    return {keys_.data(), keys_.size()};
  }

 private:
  static std::string_view View(const aimrt_string_view_t& text) { return {text.str, text.len}; }

  size_t Find(std::string_view key) const {
    size_t i = 0;
    while (i < count_ && View(pairs_[2 * i]) != key) ++i;
    return i;
  }

  // Keys and values are short: without a call of memcpy for each. The two parts overlap unless they just fit.
  template <size_t kPart>
  static void CopyParts(char* place, std::string_view text) {
    char first[kPart], last[kPart];
    std::memcpy(first, text.data(), kPart);
    std::memcpy(last, text.data() + text.size() - kPart, kPart);
    std::memcpy(place, first, kPart);
    std::memcpy(place + text.size() - kPart, last, kPart);
  }
  static void CopyText(char* place, std::string_view text) {
    const size_t size = text.size();
    if (size > 32)
      std::memcpy(place, text.data(), size);
    else if (size >= 16)
      CopyParts<16>(place, text);
    else if (size >= 8)
      CopyParts<8>(place, text);
    else if (size >= 4)
      CopyParts<4>(place, text);
    else
      for (size_t i = 0; i < size; ++i) place[i] = text[i];
  }

  aimrt_string_view_t Copy(std::string_view text, size_t room) {
    char* place = nullptr;
    if (room < kBytesInside - used_) {
      place = bytes_ + used_;
      used_ += room + 1;
    } else {
      place = blocks_.emplace_back(new char[room + 1]).get();
    }
    CopyText(place, text);
    place[text.size()] = '\0';
    return {place, text.size()};
  }

  void Grow() {
    std::vector<aimrt_string_view_t> pairs(pairs_, pairs_ + 2 * count_);
    std::vector<uint32_t> rooms(rooms_, rooms_ + count_);
    pairs.resize(4 * count_);
    rooms.resize(2 * count_);
    more_pairs_.swap(pairs);
    more_rooms_.swap(rooms);
    pairs_ = more_pairs_.data();
    rooms_ = more_rooms_.data();
    capacity_ = 2 * count_;
  }

  size_t count_ = 0;
  size_t capacity_ = kPairsInside;
  size_t used_ = 0;
  aimrt_string_view_t* pairs_ = pairs_inside_;
  uint32_t* rooms_ = rooms_inside_;
  std::vector<aimrt_string_view_t> more_pairs_;
  std::vector<uint32_t> more_rooms_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  mutable std::vector<aimrt_string_view_t> keys_;
  aimrt_string_view_t pairs_inside_[2 * kPairsInside];
  uint32_t rooms_inside_[kPairsInside];
  char bytes_[kBytesInside];
};

}  // namespace aimrt::util::details
