// SPDX-License-Identifier: Apache-2.0
//
// The type of what `await` waits for, and what else plait.model asks the engine.
#include "bind/model/runtime.h"
#include "bind/model/types.h"

namespace plait::model {

PyTypeObject* g_step_type = nullptr;

namespace {

// ---- steps

constexpr size_t kSparesMax = 32;
Step* g_spares[kSparesMax];
size_t g_spare_count = 0;

void step_drop(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_XDECREF(as<Step>(self)->to);
  if (g_spare_count < kSparesMax) {
    g_spares[g_spare_count++] = as<Step>(self);
  } else {
    PyObject_Free(self);
  }
  Py_DECREF(type);
}

enum class Result : uint8_t { kNothing, kWord, kBool, kPointer };
Result result_of(Op op) {
  switch (op) {
    case Op::kLoad: case Op::kReadOnce: case Op::kLoadAcquire: case Op::kExchange: case Op::kCompareExchange:
    case Op::kFetchAdd: case Op::kLocalAdd: case Op::kIrqSave: case Op::kCpuId: case Op::kNative: return Result::kWord;
    case Op::kSpinTrylock: case Op::kMutexTrylock: case Op::kSemTrydown: return Result::kBool;
    case Op::kPageAlloc: return Result::kPointer;
    default: return Result::kNothing;
  }
}

PyObject* value_of(const Step& step) {
  switch (result_of(step.op)) {
    case Result::kWord: return from_word(step.result, step.to);
    case Result::kBool: return PyBool_FromLong(step.result != 0);
    case Result::kPointer: return step.result ? PyLong_FromUnsignedLongLong(step.result) : Py_NewRef(Py_None);
    case Result::kNothing: break;
  }
  return Py_NewRef(Py_None);
}

PySendResult step_send(PyObject* self, PyObject*, PyObject** result) {
  Step& step = *as<Step>(self);
  Runtime* runtime = Runtime::active();
  *result = nullptr;
  if (!runtime) {
    PyErr_SetString(PyExc_RuntimeError, "a step of a model is awaited where no machine runs");
    return PYGEN_ERROR;
  }
  if (step.state == Step::State::kNew && !runtime->closing()) {
    step.state = Step::State::kWaiting;
    if (runtime->start(step)) step.state = Step::State::kDone;
    if (step.state == Step::State::kWaiting) {
      *result = Py_NewRef(self);
      return PYGEN_NEXT;
    }
  }
  if (step.state == Step::State::kWaiting && !runtime->closing()) {
    PyErr_SetString(PyExc_RuntimeError, "a step is awaited twice");
    return PYGEN_ERROR;
  }
  *result = value_of(step);
  return *result ? PYGEN_RETURN : PYGEN_ERROR;
}

// As newer interpreters drive an await: a None is the end without any exception.
PyObject* step_next(PyObject* self) {
  PyObject* result = nullptr;
  const PySendResult sent = step_send(self, Py_None, &result);
  if (sent == PYGEN_NEXT) return result;
  if (sent == PYGEN_RETURN) {
    if (result != Py_None) PyErr_SetObject(PyExc_StopIteration, result);
    Py_DECREF(result);
  }
  return nullptr;
}

// ---- the CPU that the model's code runs on

PyObject* number(uint64_t value) { return PyLong_FromUnsignedLongLong(value); }
Machine* machine_here() {
  if (Runtime* runtime = Runtime::active(); runtime && !runtime->closing()) return &runtime->machine();
  PyErr_SetString(PyExc_RuntimeError, "no machine runs");
  return nullptr;
}
template <auto kAsk>
PyObject* ask(PyObject*, void*) {
  Machine* machine = machine_here();
  return machine ? PyLong_FromUnsignedLongLong(static_cast<uint64_t>((machine->*kAsk)())) : nullptr;
}
template <auto kAsk>
PyObject* ask_bool(PyObject*, void*) {
  Machine* machine = machine_here();
  return machine ? PyBool_FromLong((machine->*kAsk)()) : nullptr;
}
PyObject* cpu_index(PyObject*) {
  Machine* machine = machine_here();
  return machine ? number(machine->cpu_now()) : nullptr;
}
PyGetSetDef cpu_attributes[] = {{"count", ask<&Machine::cpu_count>, nullptr, nullptr, nullptr},
                                {"page_size", ask<&Machine::page_size>, nullptr, nullptr, nullptr},
                                {"irqs_enabled", ask_bool<&Machine::irq_enabled>, nullptr, nullptr, nullptr},
                                {"preemptible", ask_bool<&Machine::preemptible>, nullptr, nullptr, nullptr},
                                {"in_handler", ask_bool<&Machine::in_handler>, nullptr, nullptr, nullptr},
                                {}};

// ---- functions

// step(op, address=0, a=0, b=0)
PyObject* step(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  uint64_t words[4] = {};
  for (Py_ssize_t i = 0; i < count && i < 4; ++i) {
    if (!to_word(arguments[i], words[i])) return nullptr;
  }
  if (words[0] >= static_cast<uint64_t>(Op::kCount)) return PyErr_Format(PyExc_ValueError, "no such step");
  return make_step(static_cast<Op>(words[0]), nullptr, words[1], words[2], words[3]);
}

PyObject* add_worker(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  Runtime* runtime = Runtime::active();
  if (!runtime || count != 2) return PyErr_Format(PyExc_RuntimeError, "no machine runs");
  return number(runtime->add_worker(arguments[0], arguments[1]));
}

// report(what, address, cpu, home)
PyObject* report(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  uint64_t words[4] = {};
  Runtime* runtime = Runtime::active();
  if (!runtime || count != 4 || !runtime->checking()) return PyErr_Format(PyExc_RuntimeError, "reports are for check()");
  for (Py_ssize_t i = 0; i < 4; ++i) {
    if (!to_word(arguments[i], words[i])) return nullptr;
  }
  runtime->report(static_cast<Runtime::Reported>(words[0]), words[1], static_cast<uint32_t>(words[2]),
                  static_cast<uint32_t>(words[3]));
  Py_RETURN_NONE;
}

PyObject* is_live(PyObject*, PyObject* object) {
  uint64_t word = 0;
  Machine* machine = machine_here();
  if (!machine || !to_word(object, word)) return nullptr;
  return PyBool_FromLong(machine->is_live(reinterpret_cast<const void*>(word)));
}

PyMethodDef functions[] = {{"step", fast(step), METH_FASTCALL, nullptr},
                           {"add_worker", fast(add_worker), METH_FASTCALL, nullptr},
                           {"report", fast(report), METH_FASTCALL, nullptr},
                           {"is_live", is_live, METH_O, nullptr},
                           {}};

PyObject* same(PyObject* self) { return Py_NewRef(self); }

}  // namespace

PyObject* make_step(Op op, PyObject* to, uintptr_t address, uint64_t a, uint64_t b) {
  Step* step = nullptr;
  if (g_spare_count != 0) {
    step = g_spares[--g_spare_count];
    PyObject_Init(reinterpret_cast<PyObject*>(step), g_step_type);
  } else {
    step = PyObject_New(Step, g_step_type);
    if (!step) return nullptr;
  }
  step->op = op;
  step->state = Step::State::kNew;
  step->to = Py_XNewRef(to);
  step->address = address;
  step->a = a;
  step->b = b;
  step->result = 0;
  step->pc = 0;
  return reinterpret_cast<PyObject*>(step);
}

bool add_steps(PyObject* module) {
  PyType_Slot step[] = {{Py_tp_dealloc, slot(step_drop)},  {Py_am_await, slot(same)}, {Py_am_send, slot(step_send)},
                        {Py_tp_iternext, slot(step_next)}, {Py_tp_iter, slot(same)},  {0, nullptr}};
  PyType_Slot cpu[] = {{Py_nb_index, slot(cpu_index)}, {Py_tp_getset, cpu_attributes}, {0, nullptr}};
  g_step_type = add_type(module, {"plait._engine.Step", sizeof(Step), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, step}, nullptr);
  constexpr unsigned kFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
  return g_step_type && add_type(module, {"plait._engine.CpuBase", sizeof(PyObject), 0, kFlags, cpu}, nullptr) &&
         PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace plait::model
