// SPDX-License-Identifier: Apache-2.0
//
// What becomes of an exception that leaves a model, and where in the model's source things happen.
#include "bind/model/raise.h"

#include "bind/model/runtime.h"

namespace plait::model {

PyObject* g_hang_type = nullptr;

namespace {

// A new reference, with its traceback.
PyObject* take_exception() {
#if PY_VERSION_HEX >= 0x030c0000
  return PyErr_GetRaisedException();
#else
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return value;
#endif
}

// None.field: as a null pointer is dereferenced.
bool of_none(PyObject* exception) {
  if (!PyErr_GivenExceptionMatches(exception, PyExc_AttributeError)) return false;
  PyObject* object = PyObject_GetAttrString(exception, "obj");
  PyObject* name = PyObject_GetAttrString(exception, "name");
  const bool none = object == Py_None && name && name != Py_None;  // without a name nobody said what it is about
  PyErr_Clear();
  Py_XDECREF(object);
  Py_XDECREF(name);
  return none;
}

}  // namespace

bool add_exceptions(PyObject* module) {
  g_hang_type = PyErr_NewException("plait._engine.Hang", PyExc_BaseException, nullptr);
  return g_hang_type && PyModule_AddObjectRef(module, "Hang", g_hang_type) == 0;
}

FailureKind kind_of(PyObject* exception) {
  if (PyErr_GivenExceptionMatches(exception, PyExc_AssertionError)) return FailureKind::kAssertion;
  if (PyErr_GivenExceptionMatches(exception, PyExc_RecursionError)) return FailureKind::kStackOverflow;
  if (of_none(exception)) return FailureKind::kNullDereference;
  return FailureKind::kException;
}

Text describe(PyObject* exception) {
  const bool assertion = PyErr_GivenExceptionMatches(exception, PyExc_AssertionError) != 0;
  Text text = assertion ? "an assertion does not hold" : Py_TYPE(exception)->tp_name;
  PyObject* said = PyObject_Str(exception);
  Py_ssize_t size = 0;
  const char* utf8 = said ? PyUnicode_AsUTF8AndSize(said, &size) : nullptr;
  if (utf8 && size > 0) text = text + ": " + std::string_view(utf8, static_cast<size_t>(size));
  PyErr_Clear();
  Py_XDECREF(said);
  return text;
}

void Runtime::raised(Call& call) {
  PyObject* exception = take_exception();
  PyObject* traceback = PyException_GetTraceback(exception);
  note_traceback(call, traceback);
  Py_XDECREF(traceback);
  call.state = Call::State::kRaised;
  if (PyErr_GivenExceptionMatches(exception, g_hang_type)) {
    call.state = Call::State::kHangs;
  } else if (!PyErr_GivenExceptionMatches(exception, PyExc_Exception)) {  // KeyboardInterrupt: for who started us
    call.state = Call::State::kInterrupted;
    Py_XSETREF(interrupt_, Py_NewRef(exception));
  } else {
    call.kind = kind_of(exception);
    call.message = machine_.who() + ": " + describe(exception);
  }
  Py_DECREF(exception);
}

// Innermost first, of the model's own files.
void Runtime::note_traceback(Call& call, PyObject* traceback) {
  std::vector<uint32_t> sites;
  for (PyObject* at = Py_XNewRef(traceback); at && at != Py_None;) {
    PyObject* frame = PyObject_GetAttrString(at, "tb_frame");
    PyObject* last = PyObject_GetAttrString(at, "tb_lasti");
    if (frame && last) {
      auto* code = reinterpret_cast<PyObject*>(PyFrame_GetCode(reinterpret_cast<PyFrameObject*>(frame)));
      if (const uint32_t site = sites_.of(code, static_cast<int>(PyLong_AsLong(last)))) sites.push_back(site);
      Py_DECREF(code);
    }
    Py_XDECREF(frame);
    Py_XDECREF(last);
    PyObject* next = PyObject_GetAttrString(at, "tb_next");
    Py_DECREF(at);
    at = next;
  }
  PyErr_Clear();
  call.calls = 0;
  while (!sites.empty() && call.calls < kCallsMax) {
    call.pcs[call.calls++] = pc_of(sites.back());
    sites.pop_back();
  }
}

// In the signal handler of the watchdog. What is pending runs in the interpreter's main thread, at its next check.
void Runtime::interrupted() {
  const auto raise = [](void*) -> int {
    if (!active_ || !active_->in_python_ || active_->entries_ != active_->hung_entry_) return 0;  // it ended meanwhile
    PyErr_SetNone(g_hang_type);
    return -1;
  };
  if (!active_) return;
  active_->hung_entry_ = active_->entries_;
  Py_AddPendingCall(raise, nullptr);
}

// ---- places in the source

void Sites::add(PyObject* code, std::vector<uint32_t> places) { known_.push_back({Py_NewRef(code), std::move(places)}); }

Sites::~Sites() {
  for (const Known& each : known_) Py_DECREF(each.code);
}

void Sites::index() {
  size_t size = 16;
  while (size < known_.size() * 4) size *= 2;
  table_.assign(size, nullptr);
  for (const Known& each : known_) {
    size_t at = hash(each.code);
    while (table_[at]) at = (at + 1) & (size - 1);
    table_[at] = &each;
  }
}

const Sites::Known* Sites::find(PyObject* code) const {
  if (table_.empty()) return nullptr;
  for (size_t at = hash(code); table_[at]; at = (at + 1) & (table_.size() - 1)) {
    if (table_[at]->code == code) return table_[at];
  }
  return nullptr;
}

uint32_t Sites::of(PyObject* code, int last_instruction) const {
  const Known* known = find(code);
  const auto at = static_cast<size_t>(last_instruction) / 2;
  return known && last_instruction >= 0 && at < known->places.size() ? known->places[at] : 0;
}

// Helpers of other files are passed by: what counts is who asked them.
uint32_t Sites::of(PyFrameObject* frame) const {
  uint32_t site = 0;
  PyFrameObject* at = reinterpret_cast<PyFrameObject*>(Py_XNewRef(reinterpret_cast<PyObject*>(frame)));
  while (at) {
    auto* code = reinterpret_cast<PyObject*>(PyFrame_GetCode(at));
    if (const Known* known = find(code)) {
      const auto last = static_cast<size_t>(PyFrame_GetLasti(at)) / 2;
      site = last < known->places.size() ? known->places[last] : 0;
    }
    Py_DECREF(code);
    PyFrameObject* back = site ? nullptr : PyFrame_GetBack(at);
    Py_DECREF(at);
    at = back;
  }
  return site;
}

}  // namespace plait::model
