// SPDX-License-Identifier: Apache-2.0
//
// What a Python model holds in its hands: places in simulated memory (plait.model's Cell, Array, Record), and steps,
// which are what `await` waits for. Made and dropped a few times for each step of a model, so they are plain C types.
//
// The same object declares a field in a class body and stands for it in an instance: unbound, `address` is an offset;
// bound, it is a simulated address.
#pragma once

#include <Python.h>

#include <cstdint>

namespace plait::model {

enum class Op : uint8_t {
  kLoad, kStore, kReadOnce, kWriteOnce, kLoadAcquire, kStoreRelease, kExchange, kCompareExchange, kFetchAdd, kLocalAdd,
  kFence, kIrqSave, kIrqRestore, kIrqOff, kIrqOn, kPreemptDisable, kPreemptEnable, kCpuId,
  kSpinLock, kSpinTrylock, kSpinUnlock, kMutexLock, kMutexTrylock, kMutexUnlock,
  kWait, kWaitPrepare, kWaitCommit, kWaitCancel, kWaitMutex, kWakeOne, kWakeAll,
  kSemDown, kSemTrydown, kSemUp, kMightSleep, kPageAlloc, kPageFree, kRelax, kWorkerStart, kNative,
  kCount,
};

struct Place {
  PyObject_HEAD
  uintptr_t address;
  bool bound;
};

struct Cell {
  Place place;
  PyObject* to;  // class of what it points to; null: an integer
  bool knob;     // reads as its number, without a step
};

struct Array {
  Place place;
  PyObject* element;  // unbound
  Py_ssize_t count;
  size_t stride;  // bytes
};

struct Step {
  PyObject_HEAD
  enum class State : uint8_t { kNew, kWaiting, kDone };
  Op op;
  State state;
  PyObject* to;  // as of a Cell, for the result
  uintptr_t address;
  uint64_t a;
  uint64_t b;
  uint64_t result;
  uintptr_t pc;
};

extern PyTypeObject* g_step_type;

// The types, and the functions that plait.model is made of; false with an exception set.
bool add_places(PyObject* module);
bool add_steps(PyObject* module);

// An integer, a bound place or None as the 64 bits of a word; false with an exception set.
bool to_word(PyObject* value, uint64_t& word);
PyObject* from_word(uint64_t word, PyObject* to);

}  // namespace plait::model
