// SPDX-License-Identifier: Apache-2.0
//
// Exceptions of a target: a throw, its own or one that the C++ library's headers leave to a function of the library,
// leaves a note of where; and what the library keeps for an exception in flight is not the target's memory.
#include "rt.h"

namespace {

using namespace plait;

// Of a function of the library that throws. It is not there when the target has no use for the library otherwise; a
// target without exception tables cannot catch anything either.
void note_throw(const void* real, const char* what, uintptr_t pc) {
  if (real == nullptr) plait_rt_die(Death::kTerminate, what, nullptr, 0, pc);
  if (plait_rt_table != nullptr) plait_rt_table->throw_note(pc);
}

bool is_targets(const void* at) {
  const auto address = reinterpret_cast<uintptr_t>(at);
  return runtime::on_own_stack(at, 1) || address - plait_rt_hot->arena_base < plait_rt_hot->arena_size ||
         address - plait_rt_hot->data_base < plait_rt_hot->data_size;
}

}  // namespace

// The real functions are weak: a target in C does not link the C++ library.
#define THROWS(name, what, parameters, arguments)                                               \
  [[noreturn]] void __real_##name parameters __attribute__((weak));                             \
  [[noreturn]] void __wrap_##name parameters {                                                  \
    note_throw(reinterpret_cast<const void*>(&__real_##name), what " thrown", PLAIT_CALLER_PC); \
    __real_##name arguments;                                                                    \
  }
#define THROWS_TEXT(name, what) THROWS(name, what, (const char* text), (text))
#define THROWS_NUMBER(name, what) THROWS(name, what, (int number), (number))

extern "C" {

[[noreturn]] void __real___cxa_throw(void* object, void* type, void (*destroy)(void*)) __attribute__((weak));
void* __real___cxa_allocate_exception(size_t size) __attribute__((weak));
void* __real___cxa_begin_catch(void* exception) __attribute__((weak));
[[noreturn]] void __real__ZSt24__throw_out_of_range_fmtPKcz(const char* format, ...) __attribute__((weak));

void* __wrap___cxa_allocate_exception(size_t size) {
  void* const exception = __real___cxa_allocate_exception(size);
  if (exception != nullptr) plait_rt_note_own(exception, size);
  return exception;
}

[[noreturn]] void __wrap___cxa_throw(void* object, void* type, void (*destroy)(void*)) {
  if (plait_rt_table != nullptr) plait_rt_table->throw_note(PLAIT_CALLER_PC);
  __real___cxa_throw(object, type, destroy);
}

// What the library itself threw it has allocated unseen; the largest of its exceptions is std::system_error. A thrown
// pointer is caught as what it points to, which may be anything.
void* __wrap___cxa_begin_catch(void* exception) {
  constexpr size_t kLargest = 32;
  void* const caught = __real___cxa_begin_catch(exception);
  if (caught != nullptr && !is_targets(caught)) plait_rt_note_own(caught, kLargest);
  return caught;
}

THROWS(_ZSt17__throw_bad_allocv, "std::bad_alloc", (), ())
THROWS(_ZSt28__throw_bad_array_new_lengthv, "std::bad_array_new_length", (), ())
THROWS(_ZSt21__throw_bad_exceptionv, "std::bad_exception", (), ())
THROWS(_ZSt16__throw_bad_castv, "std::bad_cast", (), ())
THROWS(_ZSt18__throw_bad_typeidv, "std::bad_typeid", (), ())
THROWS(_ZSt25__throw_bad_function_callv, "std::bad_function_call", (), ())
THROWS_TEXT(_ZSt19__throw_logic_errorPKc, "std::logic_error")
THROWS_TEXT(_ZSt20__throw_domain_errorPKc, "std::domain_error")
THROWS_TEXT(_ZSt24__throw_invalid_argumentPKc, "std::invalid_argument")
THROWS_TEXT(_ZSt20__throw_length_errorPKc, "std::length_error")
THROWS_TEXT(_ZSt20__throw_out_of_rangePKc, "std::out_of_range")
THROWS_TEXT(_ZSt21__throw_runtime_errorPKc, "std::runtime_error")
THROWS_TEXT(_ZSt19__throw_range_errorPKc, "std::range_error")
THROWS_TEXT(_ZSt22__throw_overflow_errorPKc, "std::overflow_error")
THROWS_TEXT(_ZSt23__throw_underflow_errorPKc, "std::underflow_error")
THROWS_NUMBER(_ZSt20__throw_system_errori, "std::system_error")
THROWS_NUMBER(_ZSt20__throw_future_errori, "std::future_error")
// What the compiler calls by itself: new T[n] that overflows, dynamic_cast, typeid.
THROWS(__cxa_throw_bad_array_new_length, "std::bad_array_new_length", (), ())
THROWS(__cxa_bad_cast, "std::bad_cast", (), ())
THROWS(__cxa_bad_typeid, "std::bad_typeid", (), ())

// The library formats words only (%s, %zu), and never more than come in registers: five on x86-64, seven on aarch64.
// Those that were not passed hold anything and are not looked at.
[[noreturn]] void __wrap__ZSt24__throw_out_of_range_fmtPKcz(const char* format, ...) {
  note_throw(reinterpret_cast<const void*>(&__real__ZSt24__throw_out_of_range_fmtPKcz), "std::out_of_range thrown",
             PLAIT_CALLER_PC);
  size_t words[5];
  __builtin_va_list arguments;
  __builtin_va_start(arguments, format);
  for (size_t& word : words) word = __builtin_va_arg(arguments, size_t);
  __builtin_va_end(arguments);
  __real__ZSt24__throw_out_of_range_fmtPKcz(format, words[0], words[1], words[2], words[3], words[4]);
}
}
