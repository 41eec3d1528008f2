// SPDX-License-Identifier: Apache-2.0
//
// Text of a bounded length that owns no memory. A failure's message is put together on the fiber that failed, and that
// fiber is abandoned: what a std::string held there would never be given back.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace plait {

class Text {
 public:
  static constexpr size_t kCapacity = 500;  // what goes beyond is cut off

  Text() = default;
  Text(const char* text) : Text(std::string_view(text)) {}
  Text(std::string_view text) { *this += text; }
  Text(const std::string& text) : Text(std::string_view(text)) {}
  template <std::integral Number>
  static Text of(Number value, int base = 10) {
    Text text;
    text.size_ = static_cast<uint16_t>(std::to_chars(text.text_, text.text_ + kCapacity, value, base).ptr - text.text_);
    return text;
  }

  Text& operator+=(std::string_view more) {
    const size_t taken = more.size() < kCapacity - size_ ? more.size() : kCapacity - size_;
    std::memcpy(text_ + size_, more.data(), taken);
    size_ = static_cast<uint16_t>(size_ + taken);
    return *this;
  }
  friend Text operator+(Text text, std::string_view more) { return text += more; }
  friend Text operator+(Text text, const char* more) { return text += more; }
  friend Text operator+(Text text, const Text& more) { return text += more.view(); }
  friend Text operator+(const char* text, const Text& more) { return Text(text) += more.view(); }

  std::string_view view() const { return {text_, size_}; }
  operator std::string_view() const { return view(); }
  explicit operator std::string() const { return std::string(view()); }

 private:
  uint16_t size_ = 0;
  char text_[kCapacity];
};

static_assert(std::is_trivially_destructible_v<Text>);

}  // namespace plait
