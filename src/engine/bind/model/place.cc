// SPDX-License-Identifier: Apache-2.0
#include "bind/model/place.h"

#include "bind/model/runtime.h"
#include "bind/model/types.h"

namespace plait::model {

namespace {

PyTypeObject* g_place_type = nullptr;
PyTypeObject* g_cell_type = nullptr;
PyTypeObject* g_array_type = nullptr;

void drop(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* bound(PyTypeObject* type, uintptr_t address) {
  PyObject* made = type->tp_alloc(type, 0);
  if (!made) return nullptr;
  as<Place>(made)->address = address;
  as<Place>(made)->bound = true;
  return made;
}

// What was declared, standing at this address.
PyObject* bind(PyObject* declared, uintptr_t address) {
  PyTypeObject* type = Py_TYPE(declared);
  if (PyType_IsSubtype(type, g_cell_type) && as<Cell>(declared)->knob) {
    return PyLong_FromUnsignedLongLong(*reinterpret_cast<const uint64_t*>(address));
  }
  PyObject* made = bound(type, address);
  if (!made) return nullptr;
  if (PyType_IsSubtype(type, g_cell_type)) {
    as<Cell>(made)->to = Py_XNewRef(as<Cell>(declared)->to);
  } else if (PyType_IsSubtype(type, g_array_type)) {
    as<Array>(made)->element = Py_XNewRef(as<Array>(declared)->element);
    as<Array>(made)->count = as<Array>(declared)->count;
    as<Array>(made)->stride = as<Array>(declared)->stride;
  }
  return made;
}

// ---- places

PyObject* place_new(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject* made = type->tp_alloc(type, 0);
  if (!made || PyTuple_GET_SIZE(arguments) != 1) return made;
  uint64_t address = 0;
  if (!to_word(PyTuple_GET_ITEM(arguments, 0), address)) {
    Py_DECREF(made);
    return nullptr;
  }
  as<Place>(made)->address = address;
  as<Place>(made)->bound = true;
  return made;
}

PyObject* place_get(PyObject* self, PyObject* instance, PyObject*) {
  if (!instance || instance == Py_None) return Py_NewRef(self);
  if (!PyObject_TypeCheck(instance, g_place_type)) return Py_NewRef(self);
  return bind(self, as<Place>(instance)->address + as<Place>(self)->address);
}

// Without it an assignment would put an attribute in front of the field, unseen.
int place_set(PyObject*, PyObject*, PyObject*) {
  PyErr_SetString(PyExc_AttributeError, "a field of simulated memory changes by a step: await place.field.store(value)");
  return -1;
}

PyObject* place_index(PyObject* self) { return PyLong_FromUnsignedLongLong(as<Place>(self)->address); }
Py_hash_t place_hash(PyObject* self) {
  const auto hash = static_cast<Py_hash_t>(as<Place>(self)->address >> 3);
  return as<Place>(self)->bound ? hash : -2 - hash;
}

PyObject* place_compare(PyObject* self, PyObject* other, int how) {
  if (how != Py_EQ && how != Py_NE) Py_RETURN_NOTIMPLEMENTED;
  bool same = self == other;
  if (PyObject_TypeCheck(other, g_place_type)) {
    same = same || (as<Place>(self)->bound && as<Place>(other)->bound && as<Place>(self)->address == as<Place>(other)->address);
  } else if (PyLong_Check(other)) {
    uint64_t word = 0;
    if (!to_word(other, word)) return nullptr;
    same = as<Place>(self)->bound && as<Place>(self)->address == word;
  }
  return PyBool_FromLong(same == (how == Py_EQ));
}

PyObject* place_repr(PyObject* self) {
  const char* what = as<Place>(self)->bound ? "%s at 0x%llx" : "%s at offset %llu";
  return PyUnicode_FromFormat(what, Py_TYPE(self)->tp_name, static_cast<unsigned long long>(as<Place>(self)->address));
}

PyObject* place_address(PyObject* self, void*) { return place_index(self); }
int place_set_address(PyObject* self, PyObject* value, void*) {
  uint64_t word = 0;
  if (value == nullptr || !to_word(value, word)) return -1;
  as<Place>(self)->address = word;
  return 0;
}
PyObject* place_bound(PyObject* self, void*) { return PyBool_FromLong(as<Place>(self)->bound); }
int place_set_bound(PyObject* self, PyObject* value, void*) {
  as<Place>(self)->bound = value == Py_True;
  return 0;
}

PyGetSetDef place_attributes[] = {{"address", place_address, nullptr, nullptr, nullptr},
                                  {"_offset", place_address, place_set_address, nullptr, nullptr},
                                  {"_bound", place_bound, place_set_bound, nullptr, nullptr},
                                  {}};

// ---- cells

PyObject* cell_new(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject* made = type->tp_alloc(type, 0);
  const bool to = made && type == g_cell_type && PyTuple_GET_SIZE(arguments) == 1;
  if (to && PyTuple_GET_ITEM(arguments, 0) != Py_None) as<Cell>(made)->to = Py_NewRef(PyTuple_GET_ITEM(arguments, 0));
  return made;
}

void cell_drop(PyObject* self) {
  Py_CLEAR(as<Cell>(self)->to);
  drop(self);
}

PyObject* on_cell(PyObject* self, Op op, uint64_t a = 0, uint64_t b = 0) {
  if (!as<Place>(self)->bound) {
    PyErr_SetString(PyExc_TypeError, "this cell is a declaration: use that of an instance");
    return nullptr;
  }
  return make_step(op, as<Cell>(self)->to, as<Place>(self)->address, a, b);
}

template <Op kOp>
PyObject* cell_read(PyObject* self, PyObject*) {
  return on_cell(self, kOp);
}
template <Op kOp>
PyObject* cell_write(PyObject* self, PyObject* value) {
  uint64_t word = 0;
  return to_word(value, word) ? on_cell(self, kOp, word) : nullptr;
}
PyObject* cell_cmpxchg(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  uint64_t expected = 0;
  uint64_t desired = 0;
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "cmpxchg takes two values: the one to be replaced and the new one");
    return nullptr;
  }
  if (!to_word(arguments[0], expected) || !to_word(arguments[1], desired)) return nullptr;
  return on_cell(self, Op::kCompareExchange, expected, desired);
}
PyObject* cell_peek(PyObject* self, PyObject*) {
  uint64_t word = 0;
  Runtime* runtime = Runtime::active();
  if (!runtime || !runtime->checking()) {
    PyErr_SetString(PyExc_RuntimeError, "peek() is for check(); elsewhere a read is a step: await cell.load()");
    return nullptr;
  }
  return runtime->peek(as<Place>(self)->address, word) ? from_word(word, as<Cell>(self)->to) : nullptr;
}
PyObject* cell_to(PyObject* self, void*) { return Py_NewRef(as<Cell>(self)->to ? as<Cell>(self)->to : Py_None); }
int cell_set_to(PyObject* self, PyObject* value, void*) {
  Py_XSETREF(as<Cell>(self)->to, Py_XNewRef(value));
  return 0;
}
PyObject* cell_knob(PyObject* self, void*) { return PyBool_FromLong(as<Cell>(self)->knob); }
int cell_set_knob(PyObject* self, PyObject* value, void*) {
  as<Cell>(self)->knob = value == Py_True;
  return 0;
}
PyGetSetDef cell_attributes[] = {{"_knob", cell_knob, cell_set_knob, nullptr, nullptr},
                                 {"_to", cell_to, cell_set_to, nullptr, nullptr}, {}};

PyObject* cell_of(PyObject* type, PyObject*) { return Py_NewRef(type); }  // Cell[T], for who reads types

PyMethodDef cell_methods[] = {
    {"__class_getitem__", cell_of, METH_CLASS | METH_O, nullptr},
    {"load", cell_read<Op::kLoad>, METH_NOARGS, nullptr},
    {"store", cell_write<Op::kStore>, METH_O, nullptr},
    {"read_once", cell_read<Op::kReadOnce>, METH_NOARGS, nullptr},
    {"write_once", cell_write<Op::kWriteOnce>, METH_O, nullptr},
    {"load_acquire", cell_read<Op::kLoadAcquire>, METH_NOARGS, nullptr},
    {"store_release", cell_write<Op::kStoreRelease>, METH_O, nullptr},
    {"xchg", cell_write<Op::kExchange>, METH_O, nullptr},
    {"cmpxchg", fast(cell_cmpxchg), METH_FASTCALL, nullptr},
    {"fetch_add", cell_write<Op::kFetchAdd>, METH_O, nullptr},
    {"local_add", cell_write<Op::kLocalAdd>, METH_O, nullptr},
    {"peek", cell_peek, METH_NOARGS, nullptr},
    {}};

// ---- arrays

PyObject* array_declare(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 3) return PyErr_Format(PyExc_TypeError, "_declare(element, count, stride)");
  const Py_ssize_t elements = PyNumber_AsSsize_t(arguments[1], PyExc_OverflowError);
  const Py_ssize_t stride = PyNumber_AsSsize_t(arguments[2], PyExc_OverflowError);
  if (PyErr_Occurred()) return nullptr;
  Py_XSETREF(as<Array>(self)->element, Py_NewRef(arguments[0]));
  as<Array>(self)->count = elements;
  as<Array>(self)->stride = static_cast<size_t>(stride);
  Py_RETURN_NONE;
}

PyMethodDef array_methods[] = {{"_declare", fast(array_declare), METH_FASTCALL, nullptr}, {}};

// Subclasses have arguments of their own, and bound ones none.
PyObject* array_new(PyTypeObject* type, PyObject*, PyObject*) { return type->tp_alloc(type, 0); }

void array_drop(PyObject* self) {
  Py_CLEAR(as<Array>(self)->element);
  drop(self);
}

Py_ssize_t array_length(PyObject* self) { return as<Array>(self)->count; }

PyObject* array_at(PyObject* self, Py_ssize_t at) {
  if (at < 0 || at >= as<Array>(self)->count) {
    return PyErr_Format(PyExc_IndexError, "index %zd of an array of %zd", at, as<Array>(self)->count);
  }
  return bind(as<Array>(self)->element, as<Place>(self)->address + static_cast<size_t>(at) * as<Array>(self)->stride);
}

PyObject* array_item(PyObject* self, PyObject* key) {
  const Py_ssize_t at = PyNumber_AsSsize_t(key, PyExc_IndexError);
  return at == -1 && PyErr_Occurred() ? nullptr : array_at(self, at);
}

PyObject* array_element(PyObject* self, void*) { return Py_NewRef(as<Array>(self)->element); }
PyObject* array_stride(PyObject* self, void*) { return PyLong_FromSize_t(as<Array>(self)->stride); }
PyGetSetDef array_attributes[] = {{"element", array_element, nullptr, nullptr, nullptr},
                                  {"stride", array_stride, nullptr, nullptr, nullptr},
                                  {}};

}  // namespace

bool to_word(PyObject* value, uint64_t& word) {
  if (value == Py_None) {
    word = 0;
  } else if (PyObject_TypeCheck(value, g_place_type)) {
    word = as<Place>(value)->address;
  } else {
    PyObject* integer = PyNumber_Index(value);
    if (!integer) return false;
    word = PyLong_AsUnsignedLongLongMask(integer);
    Py_DECREF(integer);
    if (word == ~uint64_t{0} && PyErr_Occurred()) return false;
  }
  return true;
}

PyObject* from_word(uint64_t word, PyObject* to) {
  if (!to) return PyLong_FromLongLong(static_cast<int64_t>(word));
  return word ? bound(reinterpret_cast<PyTypeObject*>(to), word) : Py_NewRef(Py_None);
}

bool add_places(PyObject* module) {
  PyType_Slot place[] = {{Py_tp_new, slot(place_new)},           {Py_tp_dealloc, slot(drop)},
                         {Py_tp_descr_get, slot(place_get)},     {Py_tp_descr_set, slot(place_set)},
                         {Py_nb_index, slot(place_index)},       {Py_tp_hash, slot(place_hash)},
                         {Py_nb_int, slot(place_index)},         {Py_tp_richcompare, slot(place_compare)},
                         {Py_tp_repr, slot(place_repr)},         {Py_tp_getset, place_attributes},
                         {0, nullptr}};
  PyType_Slot cell[] = {{Py_tp_new, slot(cell_new)}, {Py_tp_dealloc, slot(cell_drop)}, {Py_tp_methods, cell_methods},
                        {Py_tp_getset, cell_attributes}, {0, nullptr}};
  PyType_Slot array[] = {{Py_tp_new, slot(array_new)},       {Py_tp_dealloc, slot(array_drop)},
                         {Py_sq_length, slot(array_length)}, {Py_mp_subscript, slot(array_item)},
                         {Py_sq_item, slot(array_at)},
                         {Py_tp_getset, array_attributes},   {Py_tp_methods, array_methods},
                         {0, nullptr}};
  constexpr unsigned kFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
  g_place_type = add_type(module, {"plait._engine.Place", sizeof(Place), 0, kFlags, place}, nullptr);
  if (!g_place_type) return false;
  g_cell_type = add_type(module, {"plait._engine.Cell", sizeof(Cell), 0, kFlags, cell}, g_place_type);
  g_array_type = add_type(module, {"plait._engine.Array", sizeof(Array), 0, kFlags, array}, g_place_type);
  return g_cell_type && g_array_type;
}

}  // namespace plait::model
