// SPDX-License-Identifier: Apache-2.0
//
// For making Python types of plain C structs.
#pragma once

#include "bind/model/place.h"

namespace plait::model {

template <typename T>
T* as(PyObject* object) {
  return reinterpret_cast<T*>(object);
}

template <typename Value>
void* slot(Value value) {
  return reinterpret_cast<void*>(value);
}

template <typename Function>
PyCFunction fast(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

inline PyTypeObject* add_type(PyObject* module, PyType_Spec spec, PyTypeObject* base) {
  PyObject* bases = base ? PyTuple_Pack(1, base) : nullptr;
  PyObject* type = PyType_FromSpecWithBases(&spec, bases);
  Py_XDECREF(bases);
  if (!type || PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type)) != 0) return nullptr;
  return reinterpret_cast<PyTypeObject*>(type);
}

PyObject* make_step(Op op, PyObject* to, uintptr_t address, uint64_t a, uint64_t b);

}  // namespace plait::model
