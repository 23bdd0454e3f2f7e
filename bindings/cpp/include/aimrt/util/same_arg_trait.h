// Tells whether two callables take the same arguments.
#pragma once

#include <functional>
#include <tuple>
#include <type_traits>

namespace aimrt::common::util {
namespace details {

template <typename F>
struct Arguments : Arguments<decltype(&std::remove_cvref_t<F>::operator())> {};
template <typename R, typename... Args>
struct Arguments<R (*)(Args...)> : std::type_identity<std::tuple<Args...>> {};
template <typename R, typename... Args>
struct Arguments<R(Args...)> : std::type_identity<std::tuple<Args...>> {};
template <typename R, typename C, typename... Args>
struct Arguments<R (C::*)(Args...)> : std::type_identity<std::tuple<Args...>> {};
template <typename R, typename C, typename... Args>
struct Arguments<R (C::*)(Args...) const> : std::type_identity<std::tuple<Args...>> {};
template <typename R, typename C, typename... Args>
struct Arguments<R (C::*)(Args...) noexcept> : std::type_identity<std::tuple<Args...>> {};
template <typename R, typename C, typename... Args>
struct Arguments<R (C::*)(Args...) const noexcept> : std::type_identity<std::tuple<Args...>> {};

}  // namespace details

template <typename F1, typename F2>
concept SameArguments = std::is_same_v<typename details::Arguments<F1>::type, typename details::Arguments<F2>::type>;

}  // namespace aimrt::common::util
