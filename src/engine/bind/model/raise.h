// SPDX-License-Identifier: Apache-2.0
//
// From Python exceptions to kinds of failure.
#pragma once

#include <Python.h>

#include "base/text.h"
#include "base/types.h"

namespace plait::model {

// Raised in a model that runs on without taking a step; no `except Exception` keeps it.
extern PyObject* g_hang_type;
bool add_exceptions(PyObject* module);

FailureKind kind_of(PyObject* exception);
// As in "ValueError: no such thing".
Text describe(PyObject* exception);

}  // namespace plait::model
