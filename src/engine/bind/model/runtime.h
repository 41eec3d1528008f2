// SPDX-License-Identifier: Apache-2.0
//
// Runs the methods of a Python model. To the machine a model is a target like any other: alloc and free are C functions
// that run on the fiber of their context. What they do there is to have the coroutine of the method driven on the main
// stack (an interpreter may not run on a fiber) until it awaits a step that the machine must decide about, and to take
// that step on the fiber.
//
// While fuel lasts, a step that can neither fail nor let anybody else run is taken at once, where it is awaited: nothing
// is switched and the coroutine is not even suspended. Everything here holds the interpreter's lock.
#pragma once

#include <Python.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "bind/model/place.h"
#include "machine/machine.h"

namespace plait::model {

// Where a statement of a model lies, as the machine knows it: a program counter (TargetImage::kModelCode). From the low
// bits up: column 8, line 14, file 2.
class Sites {
 public:
  Sites() = default;
  ~Sites();
  Sites(const Sites&) = delete;
  Sites& operator=(const Sites&) = delete;

  void add(PyObject* code, std::vector<uint32_t> places);  // one place for each instruction
  void index();                                            // after the last add
  // Of the innermost frame whose code was added; 0: there is none.
  uint32_t of(PyFrameObject* frame) const;
  uint32_t of(PyObject* code, int last_instruction) const;

 private:
  struct Known {
    PyObject* code;
    std::vector<uint32_t> places;
  };
  const Known* find(PyObject* code) const;
  size_t hash(PyObject* code) const { return (reinterpret_cast<uintptr_t>(code) >> 5) & (table_.size() - 1); }
  std::vector<Known> known_;
  std::vector<const Known*> table_;  // open addressing
};

class Runtime {
 public:
  struct Methods {
    PyObject* init = nullptr;
    PyObject* alloc = nullptr;
    PyObject* free = nullptr;
    PyObject* check = nullptr;
    PyObject* cpu = nullptr;   // first argument of all but check
    PyObject* heap = nullptr;  // argument of check
  };
  struct Initial {
    size_t offset;
    uint64_t value;
  };

  Runtime(Machine& machine, Methods methods, std::vector<Initial> initial);  // takes the references
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  static Runtime* active() { return active_; }
  void activate(uintptr_t load_base);
  void deactivate() { active_ = nullptr; }
  Machine& machine() { return machine_; }
  Sites& sites() { return sites_; }
  // What a KeyboardInterrupt left behind; a new reference or null.
  PyObject* take_interrupt();

  // ---- entry points of the target, on a fiber
  static void init();
  static void* alloc(size_t size);
  static int free(void* object);
  static void check();
  static void worker(void* number);
  static void over(void* runtime);  // an execution is over; on the main stack

  // ---- called by the types, on the main stack
  // Takes the step if that can be done here and now; else it is to be awaited.
  bool start(Step& step);
  bool closing() const { return closing_; }
  bool checking() const { return checking_; }
  uint64_t add_worker(PyObject* method, PyObject* arguments);
  bool peek(uintptr_t address, uint64_t& word);  // false with an exception set
  enum class Reported : uint8_t { kFree, kDeferred, kPage };
  void report(Reported what, uintptr_t address, uint32_t cpu, uint32_t home);

 private:
  static constexpr size_t kCallsMax = 8;
  static constexpr uint32_t kPeeksMax = 100'000;  // of a check, before it counts as endless
  struct Call {  // of a method, on the stack of a fiber that may be abandoned: owns nothing
    enum class State : uint8_t { kWaiting, kReturned, kRaised, kHangs, kInterrupted };
    Runtime* runtime;
    PyObject* method;
    PyObject* first;        // argument
    uint64_t second;        // and another one
    bool has_second;
    PyObject* rest = nullptr;  // or all the others
    PyObject* coroutine = nullptr;
    Step* step = nullptr;
    State state = State::kReturned;
    uint64_t value = 0;
    bool refused = false;
    FailureKind kind = FailureKind::kException;
    Text message{};
    uint32_t calls = 0;
    std::array<uintptr_t, kCallsMax> pcs{};
  };
  class InPython;
  struct Worker {
    PyObject* method;
    PyObject* arguments;
  };
  struct Report {
    Reported what;
    uintptr_t address;
    uint32_t cpu;
    uint32_t home;
    uintptr_t pc;
  };

  void run(Call& call);  // on the fiber, to its end
  [[noreturn]] void fail(const Call& call);
  void perform(Step& step);
  uint64_t access(const Step& step);
  uint64_t kernel(const Step& step);
  static void begin(void* call);   // on the main stack
  static void resume(void* call);
  static void run_check(void* call);
  void advance(Call& call);
  void returned(Call& call, PyObject* value);
  void raised(Call& call);
  void note_traceback(Call& call, PyObject* traceback);
  void forget(PyObject* coroutine);
  void clear_workers();
  uintptr_t pc_of(uint32_t site) const { return site ? code_base_ + site : 0; }
  bool quick(Step& step);
  static void interrupted();

  static inline Runtime* active_ = nullptr;
  Machine& machine_;
  Methods methods_;
  std::vector<Initial> initial_;
  Sites sites_;
  uintptr_t code_base_ = 0;
  std::vector<PyObject*> live_;  // coroutines of calls that have not come to their end
  std::vector<Worker> workers_;
  std::vector<Report> reports_;
  uintptr_t fault_ = Machine::kNoAddress;  // that check wanted to read
  uintptr_t fault_pc_ = 0;
  uint32_t peeks_ = 0;
  PyObject* interrupt_ = nullptr;
  bool closing_ = false;
  bool checking_ = false;
  bool in_python_ = false;
  uint64_t entries_ = 0;    // into the interpreter
  uint64_t hung_entry_ = 0;
};

}  // namespace plait::model
